"""Temporal consistency: points are found again on the next frame, and what cannot be found is not counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_jaccard_index

from vss_ray.metrics.warping import HIDDEN, landing, temporal_consistency, warped_confusion

SIZE = (12, 16)


def shift(x: float, y: float) -> np.ndarray:
    return np.full((*SIZE, 2), (x, y), np.float32)


def ids(seed: int, num_classes: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, num_classes, SIZE).astype(np.uint8)


@settings(deadline=None)
@given(x=st.integers(-3, 3), y=st.integers(-3, 3), seed=st.integers(0, 99))
def test_labels_that_move_with_the_picture_are_consistent(x, y, seed):
    labels = ids(seed)
    following = np.roll(labels, (y, x), (0, 1))
    places = landing(shift(x, y), shift(-x, -y))
    counts = warped_confusion(labels, following, places, 4)
    assert temporal_consistency(counts) == 1
    assert counts.sum() == (SIZE[0] - abs(y)) * (SIZE[1] - abs(x)), "what leaves the picture is not counted"


def test_fractions_go_to_the_nearest_pixel():
    places = landing(shift(0.4, -0.4), shift(-0.4, 0.4))
    np.testing.assert_array_equal(places, np.arange(places.size).reshape(SIZE))


def test_points_whose_way_back_ends_elsewhere_are_hidden():
    back = shift(-2, 0)
    back[:, 8:] = (3, 0)
    places = landing(shift(2, 0), back)
    assert (places[:, :6] != HIDDEN).all()
    assert (places[:, 6:] == HIDDEN).all()


def test_small_errors_of_the_way_back_are_forgiven_more_on_long_ways():
    for length, missed, seen in ((1, 0.5, True), (1, 1.0, False), (8, 1.0, True)):
        places = landing(shift(length, 0), shift(missed - length, 0))
        assert (places[0, 0] != HIDDEN) == seen


@settings(deadline=None)
@given(st.integers(0, 99))
def test_it_is_the_mean_iou_of_the_two_predictions(seed):
    now, then = ids(seed), ids(seed + 1000)
    then = np.where(np.random.default_rng(seed).random(SIZE) < 0.6, now, then)
    counts = warped_confusion(now, then, landing(shift(0, 0), shift(0, 0)), 4)
    tensors = torch.from_numpy(then).long(), torch.from_numpy(now).long()
    theirs = multiclass_jaccard_index(*tensors, num_classes=4, average="macro")
    assert temporal_consistency(counts) == pytest.approx(float(theirs), rel=1e-5)


def test_void_is_not_counted_on_either_side():
    now, then = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    now[0], then[1] = 255, 255
    counts = warped_confusion(now, then, landing(shift(0, 0), shift(0, 0)), 2)
    np.testing.assert_array_equal(counts, [[(SIZE[0] - 2) * SIZE[1], 0], [0, 0]])


def test_a_class_that_appears_counts():
    assert temporal_consistency(np.array([[3, 1], [0, 0]])) == pytest.approx((0.75 + 0) / 2)


def test_nothing_seen_has_no_value():
    assert np.isnan(temporal_consistency(np.zeros((2, 2), np.int64)))
