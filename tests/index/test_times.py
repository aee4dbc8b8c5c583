"""How long frames last and which of them are neighbors, as plain rules say it, frame by frame."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.index.times import Clock


def rows(frames, times):
    return pa.table({"frame": pa.array(frames, pa.int64()), "pts_seconds": pa.array(times, pa.float64())})


def clip(start, stop, stop_seconds, name="full"):
    return {"start": start, "stop": stop, "stop_seconds": stop_seconds, "pass": name}


def through(*clips):
    """(lasts, place) of all rows of one video."""
    clock, lasts, places = Clock(), [], []
    for (row, frames), then in zip(clips, [*clips[1:], None], strict=True):
        seconds, place = clock.times(row, frames, then)
        lasts += seconds.tolist()
        places += place.tolist()
    return lasts, places


def test_a_frame_lasts_until_the_next_or_as_long_as_the_one_before():
    lasts, places = through(
        (clip(0, 3, 0.75), rows([0, 1, 2], [0, 0.25, 0.5])),
        (clip(10, 11, 1.25), rows([10], [1.0])),
        (clip(20, 22, 3.25), rows([20, 21], [2.0, 3.0])),
        (clip(23, 24, 4.0), rows([23], [3.5])),
    )
    assert lasts == [0.25, 0.25, 0.25, 0.25, 1.0, 0.5, 1.0]  # frame 21 would last a second, but 23 is there sooner
    assert places == [0, 1, 2, 4, 6, 7, 9]


def test_a_first_frame_alone_lasts_no_time_and_videos_are_apart():
    clock = Clock()
    first = clock.times(clip(0, 1, 0.04), rows([0], [0.0]), None)
    second = clock.times(clip(0, 2, 0.08), rows([0, 1], [0.0, 0.04]), None)
    assert (first[0].tolist(), second[0].tolist()) == ([0.0], [0.04, 0.04])
    assert first[1].tolist() + second[1].tolist() == [0, 2, 3]


def test_a_coarse_row_stands_for_its_part_of_the_clip():
    coarse = (clip(3, 10, 2.5, "coarse"), rows([3, 6], [0.75, 1.5]))
    full = (clip(0, 3, 0.75), rows([0, 1, 2], [0, 0.25, 0.5]))
    assert through(full, coarse, (clip(10, 11, 2.75), rows([10], [2.5]))) == (
        [0.25, 0.25, 0.25, 0.75, 1.0, 0.25],
        [0, 1, 2, 3, 4, 5],
    )
    # A hole, then a frame that must not last as long as the coarse rows did.
    assert through(full, coarse, (clip(20, 21, 5.25), rows([20], [5.0]))) == (
        [0.25, 0.25, 0.25, 0.75, 1.0, 0.25],
        [0, 1, 2, 3, 4, 6],
    )


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 1, 1, 2]), st.sampled_from([0.04, 0.5]), st.booleans()), min_size=1))
def test_equals_the_rules_however_a_video_is_cut(steps):
    numbers = np.cumsum([step for step, _, _ in steps]).tolist()
    times = np.cumsum([seconds for _, seconds, _ in steps]).tolist()
    cuts = [0, *(i for i, (_, _, is_cut) in enumerate(steps) if is_cut and i), len(steps)]
    clips = [(clip(numbers[a], numbers[b - 1] + 1, 0.0), rows(numbers[a:b], times[a:b])) for a, b in pairwise(cuts)]
    lasts, places = through(*clips)
    before = 0.0
    for i, (number, time) in enumerate(zip(numbers, times, strict=True)):
        is_last = i + 1 == len(numbers)
        if not is_last and numbers[i + 1] == number + 1:
            before = times[i + 1] - time
            assert (lasts[i], places[i + 1]) == (before, places[i] + 1)
        else:
            assert lasts[i] == pytest.approx(before if is_last else min(before, times[i + 1] - time))
            assert is_last or places[i + 1] > places[i] + 1
