"""Fields of displacement and cost: followed, in part, there and back, and brought from grid to grid."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import grid_sample

from vss_ray.ops import fields

GRID = (24, 32)


def constant(*values, grid=GRID) -> Any:
    """A field that is the same everywhere: right, down, cost."""
    field = fields.still(grid)
    field[..., : len(values)] = values
    return field


def rough(seed, grid=GRID, spread=3.0) -> Any:
    field = np.random.default_rng(seed).normal(0, spread, (*grid, 4)).astype(np.float32)
    field[..., 2] = np.abs(field[..., 2])
    return field


def read(field, by):
    """``field`` at x + by(x) as torch has it."""
    height, width = field.shape[:2]
    x = np.arange(width) + by[..., 0]
    y = np.arange(height)[:, None] + by[..., 1]
    at = np.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    source = torch.from_numpy(field.astype(np.float64)).permute(2, 0, 1)[None]
    found = grid_sample(source, torch.from_numpy(at)[None], padding_mode="border", align_corners=True)
    return found[0].permute(1, 2, 0).numpy()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 99))
def test_following_adds_what_is_read_where_the_step_leads(height, width, seed):
    step, onward = rough(seed, (height, width)), rough(seed + 100, (height, width))
    given_step, given_onward = step.copy(), onward.copy()
    wanted = step + read(onward, step.astype(np.float64))
    np.testing.assert_allclose(fields.follow(step, onward)[..., :3], wanted[..., :3], atol=1e-4)
    np.testing.assert_array_equal(step, given_step)
    np.testing.assert_array_equal(onward, given_onward)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.floats(0, 1), st.integers(0, 99))
def test_part_of_the_way_is_read_where_the_point_is(height, width, share, seed):
    step, opposite, onward = (rough(seed + 100 * i, (height, width)) for i in range(3))
    part = np.float32(share) * read(step, np.float32(1 - share) * opposite)
    wanted = part + read(onward, part)
    np.testing.assert_allclose(fields.follow_part(step, share, opposite, onward)[..., :3], wanted[..., :3], atol=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_part_of_an_even_motion(share):
    part = fields.follow_part(constant(4, -2, 0.5), share, constant(-4, 2), constant(1, 2, 3))
    np.testing.assert_allclose(
        part[..., :3], constant(1 + 4 * share, 2 - 2 * share, 3 + 0.5 * share)[..., :3], atol=1e-6
    )
    assert part.dtype == np.float32


def test_part_of_a_zoom():
    """A point moves the faster the farther out it is, so its speed here is not its speed there."""
    zoom, share = 1.2, 0.5
    center = np.array([GRID[1], GRID[0]]) / 2
    out = (np.stack(np.meshgrid(np.arange(GRID[1]), np.arange(GRID[0])), -1) - center).astype(np.float32)
    to_near, to_far = fields.from_flow((1 / zoom - 1) * out, GRID), fields.from_flow((zoom - 1) * out, GRID)
    part = fields.follow_part(to_near, share, to_far, fields.still(GRID))[..., :2]
    between = 1 + (1 - share) * (1 / zoom - 1)  # a point at p on the far picture is at between * p here
    truth = share * (1 / zoom - 1) * out / between
    inside = np.s_[3:-3, 3:-3]
    error = np.abs(part - truth)[inside].max()
    assert error < 0.02
    assert error < np.abs(share * to_near[..., :2] - truth)[inside].max() / 5


@pytest.mark.parametrize("far", [1e6, -1e6, np.inf, np.nan])
def test_what_leads_nowhere_reads_the_border(far):
    onward = rough(0)
    followed = fields.follow(constant(far, 0, 0), onward)
    assert np.isin(followed[..., 2], onward[:, [0, -1], 2]).all()


def test_one_cell_is_a_field():
    np.testing.assert_array_equal(
        fields.follow(constant(3, 2, 1, grid=(1, 1)), constant(1, 1, 1, grid=(1, 1)))[0, 0, :3], (4, 3, 2)
    )


def test_a_round_trip_costs_how_far_it_misses():
    there, back = rough(0), rough(1)
    wanted = np.linalg.norm((there + read(back, there.astype(np.float64)))[..., :2], axis=-1)
    led = there[..., :2].copy()
    fields.set_round_trip(there, back)
    np.testing.assert_allclose(there[..., 2], wanted, atol=1e-4)
    np.testing.assert_array_equal(there[..., :2], led)


@pytest.mark.parametrize("size", [(48, 64), (24, 32), (12, 16), (50, 60), (49, 64)])
def test_vectors_scale_with_their_grid(size):
    flow = np.broadcast_to(np.array([3, -2], np.float32), (*size, 2)).copy()
    field = fields.from_flow(flow, GRID)
    np.testing.assert_allclose(field, constant(3 * GRID[1] / size[1], -2 * GRID[0] / size[0]), rtol=1e-5)
    np.testing.assert_allclose(fields.to_flow(field, *size), flow, rtol=1e-5)


def test_half_the_grid_is_the_mean_of_four_pixels():
    flow = np.random.default_rng(0).normal(0, 2, (48, 64, 2)).astype(np.float32)
    field = rough(0)
    costs = field[..., 2].copy()
    fields.set_flow(field, flow)
    half = cv2.resize(flow, (32, 24), interpolation=cv2.INTER_AREA) * np.float32(0.5)
    np.testing.assert_array_equal(field[..., :2], half)
    np.testing.assert_array_equal(field[..., 2], costs)


@pytest.mark.parametrize("grid", [(24, 32), (1, 1), (2, 1), (7, 9)])
def test_twice_the_grid_is_bilinear(grid):
    field = rough(0, grid)
    size = (2 * grid[0], 2 * grid[1])
    wanted = 2 * cv2.resize(np.ascontiguousarray(field[..., :2]), size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(fields.to_flow(field, *size), wanted, atol=1e-5)


def test_another_grid_is_never_the_fields_own_memory():
    field = rough(0)
    kept = field.copy()
    fields.to_flow(field, *GRID)[:] = 9
    np.testing.assert_array_equal(field, kept)


def test_half_precision_is_numpys_bit_by_bit():
    numbers = np.random.default_rng(0).normal(0, 1, 40_000) * 10.0 ** np.random.default_rng(1).integers(-9, 6, 40_000)
    special = [
        0.0,
        -0.0,
        65504,
        65519.9,
        65520,
        1e9,
        np.inf,
        -np.inf,
        2**-14,
        2**-24,
        2**-25,
        1.0009765625,
        1.00048828125,
    ]
    steps = np.arange(64, dtype=np.float32) * 2**-26  # ties between the smallest numbers there are
    values = np.concatenate([numbers, special, steps, -steps]).astype(np.float32)
    field = np.repeat(values, 4).reshape(1, -1, 4)
    with np.errstate(over="ignore"):
        wanted = field[..., :2].astype(np.float16)
    np.testing.assert_array_equal(fields.halves(field).view(np.uint16), wanted.view(np.uint16))
