"""Backward warping: a displacement field says where in the source a pixel comes from.

``warped(x) = source(x + displacement(x))``, displacements in pixels of the grid they are given on, channels (u, v) =
(right, down). Positions outside the source read its border (EVS, section 3.2; methods that use equation 3.1 as printed
mix a pixel's value with a displacement).
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray


def compose(step: NDArray[np.float32], onward: NDArray[np.float32]) -> NDArray[np.float32]:
    """Follow ``step``, then ``onward``: D(x) = step(x) + onward(x + step(x)).

    Args:
        step: (h, w, 2) from this picture to its neighbor.
        onward: (h, w, n) with n >= 2; the first two channels lead from the neighbor on, further ones (costs that add up
            along the way) are sampled and kept as they are.

    Returns:
        (h, w, n) float32.
    """
    composed = sample(onward, step)
    composed[..., :2] += step
    return composed


def sample(source: NDArray, displacement: NDArray[np.float32]) -> NDArray:
    """``source`` (h, w) or (h, w, n <= 4) at x + displacement(x), bilinear, border repeated; same dtype."""
    height, width = displacement.shape[:2]
    grid_x, grid_y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(
        source,
        displacement[..., 0] + grid_x,
        displacement[..., 1] + grid_y,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def resize_displacement(displacement: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A displacement field on another grid: (height, width, 2), vectors scaled with the grid."""
    old_height, old_width = displacement.shape[:2]
    if (old_height, old_width) == (height, width):
        return displacement
    shrinking = height < old_height
    resized = cv2.resize(displacement, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return resized * np.array([width / old_width, height / old_height], np.float32)


def blend_warped(
    before: NDArray[np.float32],
    to_before: NDArray[np.float32],
    after: NDArray[np.float32],
    to_after: NDArray[np.float32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Sample two score maps along two displacement fields and mix them, in one pass over memory.

    Args:
        before: (h, w, C) scores of the earlier keyframe.
        to_before: (h, w, 2) displacement to it.
        after: (h, w, C) scores of the later keyframe.
        to_after: (h, w, 2) displacement to it.
        weight: (h, w) weight of the earlier one, 0 to 1.

    Returns:
        (h, w, C) float32: weight * before(x + to_before) + (1 - weight) * after(x + to_after).
    """
    mixed = np.empty_like(before)
    _blend_warped(before, to_before, after, to_after, weight, mixed)
    return mixed


def warp(source: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """``source`` (h, w, C) at x + displacement(x) for any number of channels."""
    warped = np.empty_like(source)
    _warp(source, displacement, warped)
    return warped


@njit(nogil=True, inline="always")
def _corners(x, y, displacement, height, width):  # pragma: no cover
    """Grid points around x + displacement(x), clamped to the picture, and the weights of the far ones."""
    column = min(max(x + displacement[y, x, 0], np.float32(0)), np.float32(width - 1))
    row = min(max(y + displacement[y, x, 1], np.float32(0)), np.float32(height - 1))
    x0, y0 = int(column), int(row)
    return x0, min(x0 + 1, width - 1), np.float32(column - x0), y0, min(y0 + 1, height - 1), np.float32(row - y0)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _warp(source, displacement, warped):  # pragma: no cover
    height, width, channels = source.shape
    one = np.float32(1)
    for y in range(height):
        for x in range(width):
            x0, x1, fx, y0, y1, fy = _corners(x, y, displacement, height, width)
            a, b, c, d = (one - fy) * (one - fx), (one - fy) * fx, fy * (one - fx), fy * fx
            for k in range(channels):
                warped[y, x, k] = (
                    a * source[y0, x0, k] + b * source[y0, x1, k] + c * source[y1, x0, k] + d * source[y1, x1, k]
                )


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _blend_warped(before, to_before, after, to_after, weight, mixed):  # pragma: no cover
    height, width, channels = before.shape
    one = np.float32(1)
    for y in range(height):
        for x in range(width):
            x0, x1, fx, y0, y1, fy = _corners(x, y, to_before, height, width)
            w = weight[y, x]
            a, b, c, d = w * (one - fy) * (one - fx), w * (one - fy) * fx, w * fy * (one - fx), w * fy * fx
            u0, u1, gx, v0, v1, gy = _corners(x, y, to_after, height, width)
            w = one - w
            e, f, g, h = w * (one - gy) * (one - gx), w * (one - gy) * gx, w * gy * (one - gx), w * gy * gx
            for k in range(channels):
                mixed[y, x, k] = (
                    a * before[y0, x0, k]
                    + b * before[y0, x1, k]
                    + c * before[y1, x0, k]
                    + d * before[y1, x1, k]
                    + e * after[v0, u0, k]
                    + f * after[v0, u1, k]
                    + g * after[v1, u0, k]
                    + h * after[v1, u1, k]
                )
