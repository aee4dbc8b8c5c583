"""Backward warping: which way displacements point, and what happens at the border."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vss_ray.ops.warp import blend_warped, resize_displacement, sample, warp

HEIGHT, WIDTH, BORDER = 24, 32, 6
INSIDE = np.s_[BORDER:-BORDER, BORDER:-BORDER]
shifts = st.integers(-BORDER, BORDER)


def constant(dx, dy, height=HEIGHT, width=WIDTH):
    return np.broadcast_to(np.array([dx, dy], np.float32), (height, width, 2)).copy()


def random_displacement(rng, size, reach, step=1 / 32):
    return (rng.integers(-reach / step, reach / step, (*size, 2)) * step).astype(np.float32)


def grid_sampled(source, displacement):
    height, width = source.shape[:2]
    at = displacement + np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    grid = torch.from_numpy(2 * at / (width - 1, height - 1) - 1)[None]
    tensor = torch.from_numpy(source.astype(np.float64)).permute(2, 0, 1)[None]
    return F.grid_sample(tensor, grid, padding_mode="border", align_corners=True)[0].permute(1, 2, 0).numpy()


@settings(max_examples=30, deadline=None)
@given(dx=shifts, dy=shifts, seed=st.integers(0, 99))
def test_a_translation_is_followed_exactly(dx, dy, seed):
    before = np.random.default_rng(seed).random((HEIGHT, WIDTH, 7)).astype(np.float32)
    after = np.roll(before, (dy, dx), (0, 1))  # the content moves right by dx and down by dy ...
    to_before = constant(-dx, -dy)  # ... so what is seen here was left of here, and above
    np.testing.assert_array_equal(warp(before, to_before)[INSIDE], after[INSIDE])
    np.testing.assert_array_equal(sample(before[..., :3], to_before)[INSIDE], after[..., :3][INSIDE])
    gray = (before[..., 0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(sample(gray, to_before)[INSIDE], np.roll(gray, (dy, dx), (0, 1))[INSIDE])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(1, 40), st.integers(0, 99))
def test_agrees_with_grid_sample(height, width, channels, seed):
    rng = np.random.default_rng(seed)
    source = rng.random((height, width, channels)).astype(np.float32)
    displacement = rng.normal(0, 5, (height, width, 2)).astype(np.float32)
    np.testing.assert_allclose(warp(source, displacement), grid_sampled(source, displacement), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(1, 4), st.integers(0, 99))
def test_sample_agrees_with_grid_sample(height, width, channels, seed):
    rng = np.random.default_rng(seed)
    source = rng.random((height, width, channels)).astype(np.float32)
    displacement = random_displacement(rng, (height, width), 8)
    sampled = sample(source, displacement).reshape(source.shape)
    np.testing.assert_allclose(sampled, grid_sampled(source, displacement), atol=1e-5)


@pytest.mark.parametrize(("dx", "dy", "corner"), [(-99, -99, (0, 0)), (99, -99, (0, -1)), (1e6, 1e6, (-1, -1))])
def test_outside_reads_the_border(dx, dy, corner):
    source = np.random.default_rng(0).random((HEIGHT, WIDTH, 5)).astype(np.float32)
    wanted = np.broadcast_to(source[corner], source.shape)
    np.testing.assert_array_equal(warp(source, constant(dx, dy)), wanted)
    np.testing.assert_array_equal(
        blend_warped(source, constant(dx, dy), source, constant(dx, dy), np.ones((HEIGHT, WIDTH), np.float32)), wanted
    )


def test_a_single_pixel_is_a_picture():
    source = np.array([[[0.25, 0.75]]], np.float32)
    np.testing.assert_array_equal(warp(source, constant(3.3, -2.2, 1, 1)), source)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 40), st.integers(0, 99))
def test_blend_is_two_warps_mixed(height, width, channels, seed):
    rng = np.random.default_rng(seed)
    before, after = rng.random((2, height, width, channels)).astype(np.float32)
    to_before, to_after = rng.normal(0, 4, (2, height, width, 2)).astype(np.float32)
    weight = rng.random((height, width)).astype(np.float32)
    weight[rng.random((height, width)) < 0.2] = 1
    mixed = blend_warped(before, to_before, after, to_after, weight)
    share = weight[..., None]
    wanted = share * warp(before, to_before) + (1 - share) * warp(after, to_after)
    np.testing.assert_allclose(mixed, wanted, atol=1e-6)
    np.testing.assert_allclose(mixed[weight == 1], warp(before, to_before)[weight == 1], atol=1e-6)


@pytest.mark.parametrize("grid", [(11, 13), (40, 50), (24, 32)])
def test_fields_may_be_on_another_grid(grid):
    rng = np.random.default_rng(0)
    before, after = rng.random((2, HEIGHT, WIDTH, 3)).astype(np.float32)
    to_before, to_after = rng.normal(0, 4, (2, *grid, 2)).astype(np.float32)
    weight = rng.random(grid).astype(np.float32)
    here = [resize_displacement(field, HEIGHT, WIDTH) for field in (to_before, to_after)]
    np.testing.assert_array_equal(warp(before, to_before), warp(before, here[0]))
    mixed = blend_warped(before, here[0], after, here[1], cv2.resize(weight, (WIDTH, HEIGHT)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(blend_warped(before, to_before, after, to_after, weight), mixed)


def test_sources_may_lie_anywhere_in_memory():
    rng = np.random.default_rng(0)
    source = rng.random((5, HEIGHT, WIDTH)).astype(np.float32).transpose(1, 2, 0)
    displacement, weight = constant(1.5, -2.5), rng.random((HEIGHT, WIDTH)).astype(np.float32)
    for field in (displacement, np.asfortranarray(displacement)):
        np.testing.assert_array_equal(warp(source, field), warp(source.copy(), displacement))
        blended = blend_warped(source, field, source, field, weight)
        np.testing.assert_allclose(blended, warp(source, displacement), atol=1e-6)


@pytest.mark.parametrize("size", [(12, 16), (48, 64), (7, 100), (24, 32)])
def test_vectors_scale_with_their_grid(size):
    resized = resize_displacement(constant(3, -2), *size)
    assert resized.shape == (*size, 2)
    np.testing.assert_allclose(resized, constant(3 * size[1] / WIDTH, -2 * size[0] / HEIGHT, *size), rtol=1e-5)


def test_halving_a_grid_averages():
    displacement = np.random.default_rng(0).normal(0, 2, (HEIGHT, WIDTH, 2)).astype(np.float32)
    blocks = displacement.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 2).mean((1, 3)) / 2
    np.testing.assert_allclose(resize_displacement(displacement, HEIGHT // 2, WIDTH // 2), blocks, atol=1e-5)
