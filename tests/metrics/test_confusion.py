"""Counts and the ratios made of them, against torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_jaccard_index

from vss_ray.metrics.confusion import confusion, iou_per_class, mean_iou, pixel_accuracy, weighted_iou


def maps(num_classes, seed, size=(12, 15)):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, num_classes, (2, *size)).astype(np.uint8)
    predicted = np.where(rng.random(size) < 0.5, truth, predicted)
    truth[rng.random(size) < 0.2] = 255
    return truth, predicted


@settings(max_examples=30, deadline=None)
@given(num_classes=st.integers(2, 20), seed=st.integers(0, 999))
def test_ratios_equal_torchmetrics(num_classes, seed):
    truth, predicted = maps(num_classes, seed)
    counts = confusion(truth, predicted, num_classes)
    tensors = torch.from_numpy(predicted).long(), torch.from_numpy(truth).long()
    options = {"num_classes": num_classes, "ignore_index": 255}
    theirs = multiclass_jaccard_index(*tensors, average="none", **options).numpy()
    ours = iou_per_class(counts)
    seen = ~np.isnan(ours)
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=1e-6)
    assert mean_iou(counts) == pytest.approx(theirs[counts.sum(1) > 0].mean(), rel=1e-6)
    theirs = multiclass_jaccard_index(*tensors, average="weighted", **options)
    assert weighted_iou(counts) == pytest.approx(float(theirs), rel=1e-5)
    assert pixel_accuracy(counts) == pytest.approx(float(multiclass_accuracy(*tensors, average="micro", **options)))


def test_rows_are_the_truth():
    truth = np.array([[0, 0, 1], [2, 255, 1]], np.uint8)
    predicted = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    counts = confusion(truth, predicted, 3)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    np.testing.assert_allclose(iou_per_class(counts), [1 / 3, 2 / 3, 0])


@given(st.integers(2, 9), st.integers(0, 99))
def test_counts_add_over_parts(num_classes, seed):
    truth, predicted = maps(num_classes, seed)
    parts = [confusion(truth[rows], predicted[rows], num_classes) for rows in (slice(0, 5), slice(5, None))]
    np.testing.assert_array_equal(sum(parts), confusion(truth, predicted, num_classes))


def test_a_class_that_nobody_has_counts_for_nothing():
    counts = np.array([[4, 0, 0], [0, 0, 0], [0, 0, 2]])
    np.testing.assert_array_equal(iou_per_class(counts), [1, np.nan, 1])
    assert mean_iou(counts) == 1.0


def test_a_class_that_only_the_prediction_has_lowers_the_others_alone():
    counts = np.array([[3, 1], [0, 0]])
    np.testing.assert_array_equal(iou_per_class(counts), [0.75, 0])
    assert mean_iou(counts) == 0.75


def test_nothing_to_score():
    void = np.full((3, 4), 255, np.uint8)
    counts = confusion(void, np.zeros_like(void), 5)
    assert not counts.any()
    assert np.isnan(mean_iou(counts))
    assert np.isnan(pixel_accuracy(counts))
    assert np.isnan(iou_per_class(counts)).all()


def test_predictions_are_free_where_nothing_is_scored():
    truth, predicted = np.array([0, 255, -1]), np.array([0, 255, 99])
    np.testing.assert_array_equal(confusion(truth, predicted, 2), [[1, 0], [0, 0]])


@pytest.mark.parametrize("wrong", [255, 3, -1])
def test_a_prediction_that_is_no_class_is_refused(wrong):
    with pytest.raises(ValueError, match=r"outside \[0, 3\)"):
        confusion(np.array([0, 1]), np.array([0, wrong]), 3)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
        confusion(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


def test_nothing_labeled_has_no_weights():
    assert np.isnan(weighted_iou(np.zeros((3, 3), np.int64)))


def test_weights_are_the_shares_of_the_truth():
    counts = np.array([[6, 2, 0], [0, 2, 0], [0, 0, 0]])
    assert weighted_iou(counts) == pytest.approx(0.8 * 6 / 8 + 0.2 * 2 / 4)
