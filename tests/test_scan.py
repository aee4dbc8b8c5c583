"""One pass over a clip: pictures, runs, repeats, and whose pixels are kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.frames import Frame
from vss_ray.scan import Scan, drawn, scan

RATE = 25.0
TEXTURE = np.random.default_rng(0).integers(0, 20, (64, 96, 3)).astype(np.uint8)


def picture(level: int) -> Any:
    """Scenes differ in their hundreds: 1 and 3 look alike, 1 and 101 are a cut apart."""
    image = TEXTURE + np.uint8(level // 100 * 100)
    image[:16, : 8 * (level % 10 + 1)] += np.uint8(20)
    return image


def scanned(levels, may_choose: Any = lambda *_: False, is_wanted: Any = lambda _: False, start=0.0) -> Scan:
    frames = [Frame.from_rgb(picture(level), start + i / RATE) for i, level in enumerate(levels)]
    return scan(
        iter(frames),
        small_size=(32, 48),
        network_size=(32, 64),
        may_choose=may_choose,
        is_wanted=is_wanted,
        cut_threshold=27.0,
    )


def test_pictures_and_runs():
    result = scanned([1, 2, 3, 101, 102, 1], start=3.0)
    assert result.picture_of_frame.tolist() == [0, 1, 2, 3, 4, 5]
    assert result.runs == [range(3), range(3, 5), range(5, 6)]
    np.testing.assert_allclose(result.seconds, 3 + np.arange(6) / RATE)
    np.testing.assert_array_equal(result.picture_seconds, result.seconds)
    assert len(result.planes) == 6
    assert result.planes[0].y.shape == (32, 48)
    # The first and the last of every run can always become keyframes.
    assert sorted(result.pixels) == [0, 2, 3, 4, 5]
    for index, level in ((0, 1), (2, 3), (3, 101), (5, 1)):
        np.testing.assert_array_equal(result.pixels[index], Frame.from_rgb(picture(level)).rgb(32, 64))


def test_repeats_share_a_picture():
    result = scanned([1, 1, 2, 2, 2, 101, 101, 1])
    assert result.picture_of_frame.tolist() == [0, 0, 1, 1, 1, 2, 2, 3]
    assert result.runs == [range(2), range(2, 3), range(3, 4)]
    np.testing.assert_allclose(result.picture_seconds * RATE, [0, 2, 5, 7])
    assert len(result.seconds) == 8


def test_what_comes_again_later_is_another_picture():
    assert scanned([1, 2, 1]).picture_of_frame.tolist() == [0, 1, 2]


def test_a_clip_of_one_picture():
    result = scanned([5, 5, 5, 5])
    assert result.runs == [range(1)]
    assert list(result.pixels) == [0]


def test_schedules_are_asked_by_run():
    asked = []

    def may_choose(*question):
        asked.append(question)
        return question[0] == 2

    result = scanned([1, 2, 3, 4, 4, 5, 101, 102, 103, 104], may_choose, start=9.0)
    # (picture of the run, its time, time of the one before); the first of a run is kept unasked.
    wanted = [(1, 1, 0), (2, 2, 1), (3, 3, 2), (4, 5, 3), (1, 1, 0), (2, 2, 1), (3, 3, 2)]
    np.testing.assert_allclose(asked, np.array(wanted) / (1, RATE, RATE))
    assert sorted(result.pixels) == [0, 2, 4, 5, 7, 8]


def test_wanted_frames_are_kept_with_their_predecessor():
    assert sorted(scanned(range(1, 9), is_wanted=lambda number: number == 4).pixels) == [0, 3, 4, 7]
    # Frame 3 repeats frame 2, so frame 4 is picture 3; a repeat is not looked at again.
    result = scanned([1, 2, 3, 3, 4, 5, 6, 7], is_wanted=lambda number: number in (3, 4))
    assert sorted(result.pixels) == [0, 2, 3, 6]
    assert sorted(scanned(range(1, 5), is_wanted=lambda number: number == 0).pixels) == [0, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([1, 2, 3, 101, 102]), min_size=1, max_size=12))
def test_runs_tile_the_pictures(levels):
    result = scanned(levels)
    assert [i for run in result.runs for i in run] == list(range(len(result.planes)))
    assert (np.diff(result.picture_of_frame) >= 0).all()
    assert (np.diff(result.picture_of_frame) <= 1).all()
    first = np.unique(result.picture_of_frame, return_index=True)[1]
    shown = [levels[frame] for frame in first]
    assert [shown[number] for number in result.picture_of_frame] == levels
    starts = {run.start for run in result.runs}
    for number, (before, here) in enumerate(pairwise(shown), start=1):
        assert (number in starts) == (before // 100 != here // 100)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_a_sample_is_of_its_size(share):
    num_drawn = sum(drawn("video-1234", frame, share) for frame in range(20_000))
    assert num_drawn == pytest.approx(20_000 * share, abs=5 * np.sqrt(20_000 * share * (1 - share)))


def test_a_larger_sample_holds_the_smaller():
    small, large = ({frame for frame in range(2000) if drawn("v", frame, share)} for share in (0.1, 0.2))
    assert small < large


def test_samples_of_two_videos_differ():
    one, two = ([drawn(name, frame, 0.5) for frame in range(200)] for name in ("a", "b"))
    assert one != two
