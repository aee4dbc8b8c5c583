"""The plot of accuracy against work: nothing lies on anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.export import scatter
from vss_ray.export.placement import place_labels
from vss_ray.export.scatter import Mark, draw_scatter, frontier

TITLES = {"title": "T", "subtitle": "s", "x_title": "work", "y_title": "mIoU"}
BOUNDS = (0.0, 0.0, 900.0, 560.0)


def marks(count: int, seed: int) -> list[Mark]:
    rng = np.random.default_rng(seed)
    return [Mark(f"m-{i:02d}", f"group {i % 4}", rng.uniform(5, 80), rng.uniform(65, 81)) for i in range(count)]


def overlaps(boxes: np.ndarray) -> int:
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    return int(((high - low) > 0).all(2).sum() - len(boxes)) // 2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 30), st.integers(0, 99))
def test_labels_lie_neither_on_each_other_nor_on_marks_nor_outside(count, seed):
    rng = np.random.default_rng(seed)
    anchors = rng.uniform((20, 20), (880, 540), (count, 2))
    sizes = np.tile([55.0, 13.0], (count, 1))
    disks = np.column_stack([anchors - 5, anchors + 5, np.full(count, 3.0)])
    boxes = place_labels(anchors, sizes, BOUNDS, disks, gap=8)
    assert overlaps(boxes) == 0
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= BOUNDS[2:]).all()
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], sizes)
    nearest = anchors.clip(boxes[:, :2], boxes[:, 2:])
    assert (np.linalg.norm(nearest - anchors, axis=1) < 110).all()
    again = place_labels(anchors, sizes, BOUNDS, disks, gap=8)
    np.testing.assert_array_equal(again, boxes)


def test_a_crowd_is_pulled_apart():
    anchors = np.array([[450.0, 280.0]] * 8) + np.arange(8)[:, None]
    boxes = place_labels(anchors, np.tile([55.0, 13.0], (8, 1)), BOUNDS, np.zeros((0, 5)), gap=8)
    assert overlaps(boxes) == 0


def test_the_frontier_is_what_nothing_beats_in_both_ways():
    a, b, c, d = Mark("a", "g", 1, 70), Mark("b", "g", 2, 69), Mark("c", "g", 3, 75), Mark("d", "g", 3, 74)
    assert frontier([d, c, b, a]) == [a, c]


def test_the_picture_has_every_groups_color_and_the_size_that_was_promised():
    picture = draw_scatter(marks(12, 0), **TITLES)
    assert picture.shape == (scatter.HEIGHT * scatter.UNIT, scatter.WIDTH * scatter.UNIT, 3)
    assert picture.dtype == np.uint8
    for color in scatter.COLORS[:4]:
        assert (picture == color).all(2).sum() > 50
    assert (picture[-1] == scatter.PAPER).all()
    np.testing.assert_array_equal(picture, draw_scatter(marks(12, 0), **TITLES))


def test_the_level_is_a_line_across():
    plain = draw_scatter(marks(3, 1), **TITLES)
    level = draw_scatter(marks(3, 1), **TITLES, level="m-01")
    changed = (plain != level).any(2)
    assert changed.any(1).sum() < 40 * scatter.UNIT  # one row, and the labels that make way
    assert changed.any(0).sum() > 300


def test_one_mark_is_enough_and_none_too_few():
    assert draw_scatter([Mark("only", "g", 10.0, 78.0)], **TITLES).any()
    with pytest.raises(ValueError, match="wanted marks"):
        draw_scatter([], **TITLES)
    with pytest.raises(ValueError, match="positive"):
        draw_scatter([Mark("free", "g", 0.0, 78.0)], **TITLES)


@given(low=st.floats(1, 90), span=st.floats(0.2, 40))
def test_levels_of_the_grid_are_round_and_inside(low, span):
    steps = scatter._steps(low, low + span)
    assert 2 <= len(steps) <= 8
    assert low <= steps[0] <= steps[-1] <= low + span * 1.0001


def test_work_is_marked_at_one_two_five():
    assert scatter._decades(3.0, 120.0) == [5, 10, 20, 50, 100]
