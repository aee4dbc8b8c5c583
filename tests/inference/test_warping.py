"""Features are warped on the device as scores are on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.inference.warping import warp_features
from vss_ray.ops.warp import warp

HEIGHT, WIDTH = 9, 14


def warped_by_numpy(features, displacement):
    """(B, C, h, w) of the same."""
    pairs = zip(features.numpy(), displacement.numpy(), strict=True)
    maps = [warp(np.ascontiguousarray(one.transpose(1, 2, 0)), field).transpose(2, 0, 1) for one, field in pairs]
    return torch.from_numpy(np.stack(maps))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 20))
def test_like_warping_of_scores(seed, reach):
    rng = np.random.default_rng(seed)
    features = torch.from_numpy(rng.normal(0, 1, (2, 3, HEIGHT, WIDTH)).astype(np.float32))
    field = torch.from_numpy(rng.normal(0, reach, (2, HEIGHT, WIDTH, 2)).astype(np.float32))
    torch.testing.assert_close(warp_features(features, field), warped_by_numpy(features, field), atol=1e-4, rtol=0)


@pytest.mark.parametrize("grid", [(18, 28), (36, 56), (3, 7)])
def test_displacements_may_live_on_another_grid(grid):
    """The same motion in cells of that grid."""
    features = torch.from_numpy(np.random.default_rng(0).random((1, 2, HEIGHT, WIDTH), np.float32))
    here = torch.tensor([2.5, -1.25])
    there = here * torch.tensor([grid[1] / WIDTH, grid[0] / HEIGHT])
    wanted = warp_features(features, here.expand(1, HEIGHT, WIDTH, 2))
    torch.testing.assert_close(warp_features(features, there.expand(1, *grid, 2)), wanted, atol=1e-5, rtol=0)


def test_no_motion_changes_nothing_and_half_precision_stays():
    features = torch.from_numpy(np.random.default_rng(0).random((2, 5, HEIGHT, WIDTH), np.float32)).half()
    warped = warp_features(features, torch.zeros(2, 4, 6, 2, dtype=torch.float16))
    assert warped.dtype == torch.float16
    torch.testing.assert_close(warped, features, atol=1e-3, rtol=0)
