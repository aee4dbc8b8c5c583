"""Boxes: overlap and distance counted pixel by pixel, and the conventions of OTB, LaSOT and GOT-10k."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.metrics.boxes import center_distance, held, is_box, overlap
from vss_ray.metrics.tracking import BoxCounts, averaged, got10k, one_pass, pooled, success

NAN = [float("nan")] * 4
box = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20))
rows = st.lists(st.tuples(box, box), min_size=1, max_size=8)


def boxes(*values) -> np.ndarray:
    return np.array(values, np.float64).reshape(-1, 4)


def split(pairs) -> tuple[np.ndarray, np.ndarray]:
    return boxes(*(one for one, _ in pairs)), boxes(*(two for _, two in pairs))


def pixels(values) -> set[tuple[int, int]]:
    x, y, width, height = values
    return {(u, v) for u in range(x, x + width) for v in range(y, y + height)}


@settings(max_examples=25, deadline=None)
@given(rows)
def test_boxes_cover_whole_pixels(pairs):
    truth, predicted = split(pairs)
    for i, (one, two) in enumerate(pairs):
        ours, theirs = pixels(one), pixels(two)
        assert overlap(truth, predicted)[i] == len(ours & theirs) / len(ours | theirs)
        apart = np.mean([*ours], axis=0) - np.mean([*theirs], axis=0)
        assert center_distance(truth, predicted)[i] == pytest.approx(math.hypot(*apart))
        relative = math.hypot(*(apart / one[2:]))
        assert center_distance(truth, predicted, normalized=True)[i] == pytest.approx(relative)


@settings(max_examples=25, deadline=None)
@given(rows)
def test_overlap_and_distance_know_no_order_and_equal_boxes_are_perfect(pairs):
    truth, predicted = split(pairs)
    np.testing.assert_array_equal(overlap(truth, predicted), overlap(predicted, truth))
    np.testing.assert_array_equal(center_distance(truth, predicted), center_distance(predicted, truth))
    assert (overlap(truth, truth) == 1).all()
    assert averaged([one_pass(truth, truth)]) == {"auc": 20 / 21, "precision": 1.0, "normalized_precision": 1.0}


@settings(max_examples=25, deadline=None)
@given(rows)
def test_counts_are_their_definition(pairs):
    truth, predicted = split(pairs)
    counts = BoxCounts()
    counts.add(truth, predicted)
    ious = [len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b)) for a, b in pairs]
    for threshold, share in zip([i / 20 for i in range(21)], success(counts), strict=True):
        assert share == np.mean([iou > threshold for iou in ious])
    assert pooled(counts)["ao"] == pytest.approx(overlap(truth, predicted).mean())
    assert pooled(counts)["sr_50"] == np.mean(overlap(truth, predicted) > 0.5)
    assert counts.near.tolist() == [(center_distance(truth, predicted) <= t).sum() for t in range(51)]


@settings(max_examples=25, deadline=None)
@given(rows, st.integers(0, 8))
def test_counts_of_parts_merge(pairs, cut):
    truth, predicted = split(pairs)
    truth[::3] = np.nan
    whole, first, second = BoxCounts(), BoxCounts(), BoxCounts()
    whole.add(truth, predicted)
    first.add(truth[:cut], predicted[:cut])
    second.add(truth[cut:], predicted[cut:])
    first.merge(second)
    for name, value in vars(whole).items():
        np.testing.assert_allclose(vars(first)[name], value)


def test_thresholds_are_strict_for_overlap_and_not_for_distance():
    truth, predicted = boxes([0, 0, 10, 10]), boxes([0, 0, 10, 6])
    counts = BoxCounts()
    counts.add(truth, predicted)
    assert counts.above.tolist() == [1] * 12 + [0] * 9, "0.6 is above 0.55 and not above itself"
    counts = BoxCounts()
    counts.add(boxes([0, 0, 100, 50]), boxes([20, 0, 100, 50]))
    assert (counts.near[19], counts.near[20]) == (0, 1)
    assert (counts.near_normalized[19], counts.near_normalized[20]) == (0, 1)


def test_boxes_that_do_not_touch_are_above_nothing():
    counts = BoxCounts()
    counts.add(boxes([0, 0, 5, 5]), boxes([5, 0, 5, 5]))
    assert counts.above.sum() == 0


def test_absent_frames_are_left_out_or_are_failures():
    truth = boxes([0, 0, 4, 4], NAN, [0, 0, 4, 4], [3, 3, 0, 5])
    counts = one_pass(truth, boxes(*[[0, 0, 4, 4]] * 4))
    assert (counts.frames, counts.absent) == (2, 2)
    assert averaged([counts])["precision"] == 1
    assert averaged([counts], of_all=True) == pytest.approx(
        {"auc": 10 / 21, "precision": 0.5, "normalized_precision": 0.5}
    )


def test_one_pass_takes_the_first_box_as_right_and_holds_the_last_one():
    truth = boxes(*[[0, 0, 4, 4]] * 4)
    counts = one_pass(truth, boxes([9, 9, 1, 1], NAN, [0, 0, 4, 0], [2, 0, 4, 4]))
    assert (counts.frames, counts.above[0], counts.above[19]) == (4, 4, 3)
    np.testing.assert_array_equal(held(boxes(NAN, [1, 1, 1, 1], NAN)), boxes(NAN, [1, 1, 1, 1], [1, 1, 1, 1]))


def test_got10k_leaves_the_first_frame_out_and_cuts_at_the_edge():
    truth = boxes([0, 0, 9, 9], [10, 10, 10, 10], [15, 15, 10, 10], [5, 5, 5, 5])
    predicted = boxes([0, 0, 1, 1], [10, 10, 10, 10], [15, 15, 5, 5], NAN)
    counts = got10k(truth, predicted, 20, 20)
    assert pooled(counts) == pytest.approx({"ao": 2 / 3, "sr_50": 2 / 3, "sr_75": 2 / 3})
    # What begins outside keeps its size, as in the original code.
    assert got10k(boxes(NAN, [-4, 0, 8, 8]), boxes(NAN, [0, 0, 8, 8]), 20, 20).overlap_sum == 1


def test_sequences_count_alike_and_pooled_frames_do():
    long, short = (boxes(*[[0, 0, 4, 4]] * n) for n in (9, 3))
    perfect, missed = one_pass(long, long), one_pass(short, short + np.array([50, 0, 0, 0]))
    assert averaged([perfect, missed])["precision"] == pytest.approx((1 + 1 / 3) / 2)
    perfect.merge(missed)
    assert pooled(perfect)["ao"] == pytest.approx(10 / 12)


def test_what_is_a_box():
    given_rows = boxes([0, 0, 1, 1], NAN, [0, 0, 0, 3], [0, 0, 3, -1], [0, 0, np.inf, 1])
    assert is_box(given_rows).tolist() == [True, False, False, False, False]
    assert center_distance(given_rows, given_rows).tolist() == [0, *[np.inf] * 4]
    assert overlap(given_rows, given_rows).tolist() == [1, 0, 0, 0, 0]


def test_nothing_counted_has_no_value():
    assert all(math.isnan(value) for value in averaged([]).values())
    assert all(math.isnan(value) for value in averaged([BoxCounts()]).values())
    assert math.isnan(pooled(BoxCounts())["ao"])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(1, 4\).*\(2, 4\)"):
        BoxCounts().add(boxes(NAN), boxes(NAN, NAN))
