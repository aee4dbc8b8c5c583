"""VC_n of VSPW on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss_ray.metrics.consistency import VideoConsistency, video_consistency


def maps(*rows):
    return [np.array([row]) for row in rows]


def test_by_hand():
    truth = maps([0, 0, 1, 2], [0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1])
    predicted = maps([5, 0, 1, 2], [5, 3, 1, 1], [5, 3, 1, 1], [5, 3, 0, 1])
    # Frames 0 and 1: the truth is steady in three pixels, the prediction in two of them; being right does not matter.
    # 1 and 2: all four, all four. The last window is not counted.
    np.testing.assert_allclose(video_consistency(truth, predicted, 2), [2 / 3, 1])
    np.testing.assert_allclose(video_consistency(truth, predicted, 3), [2 / 3])


@given(st.integers(1, 12), st.integers(1, 10))
def test_windows_are_counted_as_the_original_code_does(num_frames, window):
    frames = [np.zeros((2, 2), int)] * num_frames
    values = video_consistency(frames, frames, window)
    assert len(values) == max(num_frames - window, 0)
    assert (values == 1).all()


@given(st.integers(2, 5), st.integers(0, 99))
def test_equals_the_definition(window, seed):
    truth, predicted = np.random.default_rng(seed).integers(0, 2, (2, 8, 4, 5))
    values = video_consistency(list(truth), list(predicted), window)
    for start, value in enumerate(values):
        steady = (truth[start : start + window] == truth[start]).all(0)
        both = steady & (predicted[start : start + window] == predicted[start]).all(0)
        assert value == both.sum() / steady.sum() if steady.any() else np.isnan(value)


def test_a_window_in_which_everything_changes_has_no_value():
    truth = maps([0, 0], [1, 1], [2, 2], [2, 2])
    np.testing.assert_array_equal(video_consistency(truth, truth, 2), [np.nan, np.nan])


def test_other_lengths_are_refused():
    frames = maps([0], [0], [0])
    with pytest.raises(ValueError, match="differ in length"):
        video_consistency(frames, frames[:2], 2)


@given(st.integers(0, 99))
def test_several_windows_in_one_pass(seed):
    truth, predicted = np.random.default_rng(seed).integers(0, 2, (2, 9, 3, 4))
    running = VideoConsistency([2, 3, 5])
    for labels, ids in zip(truth, predicted, strict=True):
        running.add(labels, ids)
    for window, values in running.values.items():
        np.testing.assert_array_equal(values, video_consistency(list(truth), list(predicted), window))


def test_a_frame_without_truth_ends_every_window():
    still = np.zeros((2, 2), int)
    running = VideoConsistency([2])
    for truth in (still, still, still, None, still, still, None, still, still, still):
        running.add(truth, still)
    # Of each stretch the last window is left out, as at the end of a video: 1 of 2, none of 1, 1 of 2.
    assert running.values == {2: [1.0, 1.0]}
