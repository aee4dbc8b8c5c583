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

from vss_ray.ops.lanes import load_some, store_some
from vss_ray.ops.vectors import LANES, load, multiply, multiply_add, splat


def sample(source: NDArray, displacement: NDArray[np.float32]) -> NDArray:
    """``source`` (h, w) or (h, w, n <= 4) at x + displacement(x), bilinear, border repeated; same dtype.

    Only the first two channels of ``displacement`` (h, w, 2 or more) count. Four channels of uint8 are read faster
    than three.
    """
    positions = np.empty((*displacement.shape[:2], 2), np.float32)
    _add_grid(displacement, positions)
    return cv2.remap(source, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]


def resize_displacement(displacement: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """A displacement field on another grid: (height, width, 2), vectors scaled with the grid."""
    old_height, old_width = displacement.shape[:2]
    if (old_height, old_width) == (height, width):
        return displacement
    shrinking = height < old_height
    resized = cv2.resize(displacement, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    rows = resized.reshape(height, 2 * width)  # numpy is slow where the innermost axis has two elements
    rows *= np.tile(np.array([width / old_width, height / old_height], np.float32), width)
    return resized  # type: ignore[return-value]


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
        to_before: (gh, gw, 2) displacement to it, on any grid and in pixels of that.
        after: (h, w, C) scores of the later keyframe.
        to_after: (gh, gw, 2) displacement to it.
        weight: (gh, gw) weight of the earlier one, 0 to 1.

    Returns:
        (h, w, C) float32: weight * before(x + to_before) + (1 - weight) * after(x + to_after).
    """
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    height, width = before.shape[:2]
    to_before, to_after = (resize_displacement(field, height, width) for field in (to_before, to_after))
    if weight.shape != (height, width):
        weight = cv2.resize(weight, (width, height))  # type: ignore[assignment]
    mixed = np.empty_like(before)
    _blend_warped(before, to_before, after, to_after, weight, mixed)
    return mixed


def warp(source: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """``source`` (h, w, C) at x + displacement(x) for any number of channels; the field may be on any grid."""
    source = np.ascontiguousarray(source)
    warped = np.empty_like(source)
    _warp(source, resize_displacement(displacement, *source.shape[:2]), warped)
    return warped


@njit(cache=True, nogil=True)
def _add_grid(displacement, positions):  # pragma: no cover
    for y in range(positions.shape[0]):
        for x in range(positions.shape[1]):
            positions[y, x, 0] = displacement[y, x, 0] + np.float32(x)
            positions[y, x, 1] = displacement[y, x, 1] + np.float32(y)


@njit(nogil=True, inline="always")
def _find_places(y, displacement, places, fx, fy):  # pragma: no cover
    """For a row of pixels: number of the first of the four grid points around x + displacement(x), and its distance.

    Each loop writes little, or LLVM would not vectorize it.
    """
    height, width = displacement.shape[:2]
    zero, one = np.float32(0), np.float32(1)
    bottom, last = np.float32(height - 1), np.float32(width - 1)
    for x in range(width):
        fx[x] = displacement[y, x, 0]
    for x in range(width):
        fy[x] = displacement[y, x, 1]
    for x in range(width):
        column = min(max(np.float32(x) + fx[x], zero), last)
        before = min(np.floor(column), max(last - one, zero))
        fx[x] = column - before
        places[x] = np.int32(before)
    for x in range(width):
        row = min(max(np.float32(y) + fy[x], zero), bottom)
        above = min(np.floor(row), max(bottom - one, zero))
        fy[x] = row - above
        places[x] += np.int32(above) * width


@njit(nogil=True, inline="always")
def _around(source, first, right, down, channels, fx, fy):  # pragma: no cover
    """16 channels between four grid points, fewer where there are not as many."""
    one = np.float32(1)
    across, back = splat(fx), splat(one - fx)
    a, b = _at(source, first, channels), _at(source, first + right, channels)
    c, d = _at(source, first + down, channels), _at(source, first + down + right, channels)
    upper, lower = multiply_add(across, b, multiply(back, a)), multiply_add(across, d, multiply(back, c))
    return multiply_add(splat(fy), lower, multiply(splat(one - fy), upper))


@njit(nogil=True, inline="always")
def _at(source, index, channels):  # pragma: no cover
    # One test for the whole picture: loads of some lanes take a fifth longer, from far memory half as long again.
    return load(source, index) if channels >= LANES else load_some(source, index, channels, np.float32(0))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _warp(source, displacement, warped):  # pragma: no cover
    height, width, channels = source.shape
    right, down = channels * min(width - 1, 1), width * channels * min(height - 1, 1)
    places = np.empty(width, np.int32)
    fx, fy = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        _find_places(y, displacement, places, fx, fy)
        for x in range(width):
            place, here, u, v = places[x] * channels, (y * width + x) * channels, fx[x], fy[x]
            for block in range(0, channels, LANES):
                k = max(min(block, channels - LANES), 0)  # the last block overlaps the one before
                store_some(warped, here + k, channels, _around(source, place + k, right, down, channels, u, v))


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _blend_warped(before, to_before, after, to_after, weight, mixed):  # pragma: no cover
    height, width, channels = before.shape
    right, down = channels * min(width - 1, 1), width * channels * min(height - 1, 1)
    earlier, later = np.empty(width, np.int32), np.empty(width, np.int32)
    fx, fy = np.empty(width, np.float32), np.empty(width, np.float32)
    gx, gy = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        _find_places(y, to_before, earlier, fx, fy)
        _find_places(y, to_after, later, gx, gy)
        for x in range(width):
            share, rest = splat(weight[y, x]), splat(np.float32(1) - weight[y, x])
            one, u, v = earlier[x] * channels, fx[x], fy[x]
            other, s, t = later[x] * channels, gx[x], gy[x]
            for block in range(0, channels, LANES):
                k = max(min(block, channels - LANES), 0)  # the last block overlaps the one before
                mix = multiply(rest, _around(after, other + k, right, down, channels, s, t))
                mix = multiply_add(share, _around(before, one + k, right, down, channels, u, v), mix)
                store_some(mixed, (y * width + x) * channels + k, channels, mix)
