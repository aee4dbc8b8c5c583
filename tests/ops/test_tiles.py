"""Tiles: they cover a picture on the network's own grid, and what is cut out can be put back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.tiles import STRIDE, tile

SIDES = st.integers(1, 40).map(lambda count: STRIDE * count)
CELL = 4
"""Pixels per score."""


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(32, 512))
def test_tiles_cover_the_picture_on_the_networks_grid(height, width, side):
    tiling = tile(height, width, side)
    covered = np.zeros((height, width), bool)
    for index, (y, x) in enumerate(tiling.corners):
        assert y % STRIDE == x % STRIDE == tiling.height % STRIDE == tiling.width % STRIDE == 0
        assert tiling.cut(covered, index).shape == (tiling.height, tiling.width)  # inside
        tiling.cut(covered, index)[:] = True
    assert covered.all()
    assert len(set(tiling.corners)) == len(tiling.corners)
    assert list(tiling.corners) == sorted(tiling.corners)


def test_tiles_are_about_as_large_as_wanted():
    tiling = tile(544, 960, 256)
    assert len(tiling.corners) == 2 * 4
    assert (tiling.height, tiling.width) == (288, 256)


def test_a_small_picture_is_one_tile():
    tiling = tile(96, 128, 256)
    assert (tiling.height, tiling.width, tiling.corners) == (96, 128, ((0, 0),))


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(32, 512), st.integers(0, 2**32 - 1))
def test_what_was_cut_out_of_another_map_puts_that_map_in_its_place(height, width, side, seed):
    """Every tile of one map pasted over another gives the first, but for inner borders that no other tile covers."""
    rng = np.random.default_rng(seed)
    tiling = tile(height, width, side)
    there = rng.random((height // CELL, width // CELL, 2), np.float32)
    whole = there.copy()
    for index in range(len(tiling.corners)):
        tiling.paste(whole, part_of(tiling, there, index), index, CELL)
    np.testing.assert_allclose(whole, there, atol=1e-6)  # onto itself nothing changes
    whole = rng.random(there.shape, np.float32)
    below, replaced = whole.copy(), np.zeros(there.shape[:2], bool)
    for index in range(len(tiling.corners)):
        tiling.paste(whole, part_of(tiling, there, index), index, CELL)
        weight = np.zeros((*there.shape[:2], 1), np.float32)
        tiling.paste(weight, part_of(tiling, np.ones_like(weight), index), index, CELL)
        replaced |= weight[..., 0] == 1
    low, high = np.minimum(below, there), np.maximum(below, there)
    assert (whole >= low - 1e-6).all()
    assert (whole <= high + 1e-6).all()
    np.testing.assert_allclose(whole[replaced], there[replaced], atol=1e-6)
    assert len(tiling.corners) > 1 or replaced.all()


def part_of(tiling, scores, index):
    """The tile of a map of scores."""
    y, x = (corner // CELL for corner in tiling.corners[index])
    return scores[y : y + tiling.height // CELL, x : x + tiling.width // CELL].copy()


def test_inner_borders_fade_and_those_of_the_picture_do_not():
    tiling = tile(128, 192, 64)
    index = next(i for i, (y, x) in enumerate(tiling.corners) if y == 0 and x == 64)
    whole = np.zeros((32, 48, 1), np.float32)
    tiling.paste(whole, np.ones((tiling.height // CELL, tiling.width // CELL, 1), np.float32), index, CELL)
    inside = whole[..., 0]
    across = inside[0]  # the upper border is the picture's
    assert across[:16].max() == 0
    np.testing.assert_allclose(across[16:20], [1 / 8, 3 / 8, 5 / 8, 7 / 8])
    assert (across[20:36] == 1).all()
    np.testing.assert_allclose(across[36:40], [7 / 8, 5 / 8, 3 / 8, 1 / 8])
    assert across[40:].max() == 0
    np.testing.assert_allclose(inside[:, 24][[0, 19, 20, 23]], [1, 1, 7 / 8, 1 / 8])


@pytest.mark.parametrize("grid", [(16, 24), (32, 48), (17, 25)])
def test_means_are_those_of_the_part_that_a_tile_covers(grid):
    tiling = tile(128, 192, 64)
    values = np.zeros(grid, np.float32)
    np.testing.assert_array_equal(tiling.means(values, 128, 192), np.zeros(len(tiling.corners)))
    values[-1, -1] = 1  # lower right corner
    means = tiling.means(values, 128, 192)
    assert means.argmax() == len(tiling.corners) - 1
    assert (means > 0).sum() == 1
    np.testing.assert_allclose(tiling.means(np.full(grid, 3, np.float32), 128, 192), 3)
