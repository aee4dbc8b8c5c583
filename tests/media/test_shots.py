"""Cuts are found at the very frame that starts the shot, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.shots import ShotDetector
from vss_ray.plan import plan_clips


def flat(level: int) -> np.ndarray:
    return np.full((9, 16, 3), level, np.uint8)


def cuts(frames) -> list[int]:
    detector = ShotDetector()
    return [number for number, frame in enumerate(frames) if detector.is_cut(frame)]


@given(st.lists(st.sampled_from([0, 20, 60, 120, 200]), min_size=1, max_size=12))
def test_a_cut_is_a_large_change_to_the_frame_before(levels) -> None:
    wanted = [i for i in range(1, len(levels)) if abs(levels[i] - levels[i - 1]) >= 27]
    assert cuts(map(flat, levels)) == wanted


def test_the_threshold_counts() -> None:
    detector = ShotDetector(threshold=15.0)
    assert [detector.is_cut(flat(level)) for level in (100, 110, 130)] == [False, False, True]


def test_noise_in_the_dark_and_fades_are_no_cuts() -> None:
    noise = np.random.default_rng(0)
    assert cuts(np.clip(noise.normal(4, 3, (9, 16, 3)), 0, 255).astype(np.uint8) for _ in range(20)) == []
    assert cuts(flat(level) for level in range(0, 200, 8)) == []


def test_real_cuts(test_data: Path) -> None:
    [entry] = list_videos(str(test_data / "videos" / "bbb_480p_30s.mp4"))
    frames = (frame for clip in plan_clips(probe(entry)) for frame in decode(clip))
    assert cuts(np.ascontiguousarray(frame.rgb(90, 160)[..., ::-1]) for frame in frames) == [285, 378, 553]
