"""Which pictures are audited, along which motion, and what is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vss_ray.audit import audit_motion, audited, compare
from vss_ray.clips import Clip
from vss_ray.frames import Planes
from vss_ray.scan import Scan, drawn


def clip(start: int = 0) -> Clip:
    return Clip(
        video_id="video-0000",
        source="video.mp4",
        size_bytes=0,
        width=64,
        height=48,
        rotation=0,
        start=start,
        stop=start + 100,
        start_seconds=0.0,
        stop_seconds=4.0,
        first_pts=None,
        last_pts=None,
        origin_pts=0,
        seek_pts=None,
        num_packets=100,
    )


def scanned(picture_of_frame, runs) -> Scan:
    nothing = np.zeros(0)
    return Scan(nothing, np.array(picture_of_frame, np.int32), [], nothing, runs, {})


def test_all_that_are_carried():
    pictures = scanned(range(12), [range(8), range(8, 12)])
    assert audited(pictures, [0, 4, 7, 8], clip(), 1.0) == [1, 2, 3, 5, 6, 9, 10, 11]
    assert audited(pictures, range(12), clip(), 1.0) == []
    assert audited(pictures, [0, 8], clip(), 0.0) == []


def test_the_first_of_a_run_has_no_predecessor():
    assert audited(scanned(range(4), [range(2), range(2, 4)]), [1, 3], clip(), 1.0) == []


def test_the_sample_is_of_frames_of_the_video():
    """Where a clip begins does not decide which frames are drawn; a repeated picture counts as its first frame."""
    picture_of_frame = [0, 1, 1, 1, 2, 3, 3, *range(4, 60)]
    pictures = scanned(picture_of_frame, [range(60)])
    first = np.unique(picture_of_frame, return_index=True)[1]
    for start in (0, 5, 1000):
        chosen = audited(pictures, [0], clip(start), 0.3)
        assert chosen == [p for p in range(1, 60) if drawn("video-0000", start + int(first[p]), 0.3)]
        assert 5 < len(chosen) < 30


def test_motion_leads_to_the_predecessor_on_the_grid_of_scores():
    chroma: Any = np.zeros((6, 8), np.uint8)
    planes = [Planes(np.full((12, 16), i, np.uint8), chroma, chroma) for i in range(5)]

    def flow(here, there, initial=None):
        return np.full((12, 16, 2), (int(there[0, 0]) - int(here[0, 0]), here[0, 0]), np.float32)

    motion = audit_motion(planes, [1, 4], flow)
    assert motion["audited"].tolist() == [1, 4]
    assert motion["audit_flow"].shape == (2, 6, 8, 2)
    assert motion["audit_flow"].dtype == np.float16
    np.testing.assert_array_equal(motion["audit_flow"][:, 0, 0], [[-0.5, 0.5], [-0.5, 2]])


def test_motion_of_nothing():
    planes = [Planes(np.zeros((12, 16), np.uint8), np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8))]
    motion = audit_motion(planes, [], lambda *_: np.zeros((12, 16, 2), np.float32))
    assert motion["audited"].shape == (0,)
    assert motion["audit_flow"].shape == (0, 6, 8, 2)


def one_hot(ids, num_classes=3):
    return np.eye(num_classes, dtype=np.float32)[np.array(ids)]


def test_counts_are_by_the_networks_own_class():
    own = [[0, 0, 1, 1]]
    before = [[0, 1, 1, 1]]
    carried = np.array([[0, 2, 2, 1]], np.uint8)
    audit = compare(carried, one_hot(own), one_hot(before))
    np.testing.assert_array_equal(audit.pixels, [2, 2, 0])
    np.testing.assert_array_equal(audit.agreeing, [1, 1, 0])
    np.testing.assert_array_equal(audit.repeated, [1, 2, 0])


@pytest.mark.parametrize("size", [(4, 6), (16, 24), (17, 23)])
def test_counts_are_of_pixels_at_full_size(size):
    own = np.random.default_rng(0).integers(0, 3, (4, 6))
    audit = compare(np.zeros(size, np.uint8), one_hot(own), one_hot(own))
    assert audit.pixels.sum() == size[0] * size[1]
    np.testing.assert_array_equal(audit.repeated, audit.pixels)
    np.testing.assert_array_equal(audit.agreeing, [audit.pixels[0], 0, 0])
