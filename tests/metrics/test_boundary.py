"""J and F of one frame, against the published definition worked out pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.metrics.boundary import boundary_measure, contour, match_contours
from vss_ray.metrics.region import region_similarity

seeds = st.integers(0, 9999)
sizes = st.tuples(st.integers(1, 12), st.integers(1, 260))
"""Wide ones have a diagonal that asks for a radius of up to 3."""


def blobs(seed: int, size: tuple[int, int]) -> np.ndarray:
    """A few rectangles, some beyond the edge; often none at all."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.bool_)
    for _ in range(rng.integers(0, 3)):
        top, left = rng.integers(-4, size[0]), rng.integers(-4, size[1])
        mask[max(top, 0) : top + rng.integers(1, 15), max(left, 0) : left + rng.integers(1, 60)] = True
    return mask


def contour_by_definition(mask):
    """Whether a pixel differs from the one to the right, below or right below, of those that the picture has."""
    height, width = mask.shape
    return {
        (y, x)
        for y in range(height)
        for x in range(width)
        for dy, dx in ((0, 1), (1, 0), (1, 1))
        if y + dy < height and x + dx < width and mask[y, x] != mask[y + dy, x + dx]
    }


def f_by_definition(truth, predicted):
    radius = math.ceil(0.008 * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
    ours, theirs = contour_by_definition(truth), contour_by_definition(predicted)

    def near(pixels, others):
        return sum(any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in pixels)

    if not ours and not theirs:
        return 1.0
    if not ours or not theirs:
        return 0.0
    precision, recall = near(theirs, ours) / len(theirs), near(ours, theirs) / len(ours)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=25, deadline=None)
@given(seeds, sizes)
def test_f_is_its_definition(seed, size):
    truth, predicted = blobs(seed, size), blobs(seed + 1, size)
    assert {(int(y), int(x)) for y, x in np.argwhere(contour(truth))} == contour_by_definition(truth)
    assert boundary_measure(truth, predicted) == pytest.approx(f_by_definition(truth, predicted))


@settings(max_examples=25, deadline=None)
@given(seeds, sizes)
def test_neither_knows_which_mask_is_the_truth_and_equal_ones_are_perfect(seed, size):
    one, two = blobs(seed, size), blobs(seed + 1, size)
    for measure in (region_similarity, boundary_measure):
        value = measure(one, two)
        assert 0 <= value <= 1
        assert measure(two, one) == value
        assert measure(one, one) == 1
    assert region_similarity(one, two) == pytest.approx(
        (one & two).sum() / (one | two).sum() if (one | two).any() else 1
    )


def test_empty_masks():
    nothing, something = np.zeros((2, 20, 20), np.bool_)
    something[5:9, 5:9] = True
    for measure in (region_similarity, boundary_measure):
        assert measure(nothing, nothing) == 1
        assert measure(nothing, something) == measure(something, nothing) == 0


def test_by_hand():
    truth, predicted = np.zeros((2, 12, 12), np.bool_)
    truth[4:8, 2:6] = True
    predicted[4:8, 4:8] = True
    assert region_similarity(truth, predicted) == 8 / 24
    # A square of 4 has a contour of 16 pixels: one row above and one column to the left of it, its own last ones, and
    # what they share counted once. The radius is ceil(0.008 * 17) = 1: of the contour moved by 2 along x, all but the
    # columns at the far ends are near the other.
    counts = match_contours(truth, predicted)
    assert (counts.truth, counts.predicted) == (16, 16)
    assert counts.truth_found == counts.predicted_right == 10
    assert boundary_measure(truth, predicted) == pytest.approx(10 / 16)


def test_radius_grows_with_the_picture_and_rounds_up():
    for width, radius in ((100, 1), (130, 2), (854, 8)):
        height = 480 if width == 854 else 10
        truth = np.zeros((height, width), np.bool_)
        truth[:, :20] = True
        for shift, f in ((radius, 1), (radius + 1, 0)):
            assert boundary_measure(truth, np.roll(truth, shift, 1) | truth) == f, (width, shift)


def test_the_edge_of_the_picture_is_no_contour():
    full = np.ones((9, 9), np.bool_)
    assert not contour(full).any()
    assert boundary_measure(full, np.zeros_like(full)) == 1, "as in the original code"
    assert region_similarity(full, np.zeros_like(full)) == 0


def test_other_shapes_are_refused():
    for measure in (region_similarity, boundary_measure):
        with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 2\)"):
            measure(np.zeros((2, 3), np.bool_), np.zeros((3, 2), np.bool_))
