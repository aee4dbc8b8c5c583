"""Displacement fields that carry the cost of the way: (h, w, 4) float32 of right, down, cost, and one without meaning.

Four floats are one load. A field of 156x88 is followed in 36 us of an AMD EPYC core; with three floats a cell it took
80, and ``cv2.remap`` with what numpy adds to it 190. Everything is in cells of the field's own grid.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vss_ray.ops.vectors import add, lane, load4, multiply, multiply_add, splat4, store, subtract
from vss_ray.ops.warp import resize_displacement

LANES = 4


def still(grid: tuple[int, int]) -> NDArray[np.float32]:
    """The field that leads nowhere."""
    return np.zeros((*grid, LANES), np.float32)


def from_flow(displacement: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    """A field without cost from a displacement (H, W, 2) on any grid."""
    field = np.empty((*grid, LANES), np.float32)
    field[..., 2:] = 0
    set_flow(field, displacement)
    return field


def set_flow(field: NDArray[np.float32], displacement: NDArray[np.float32]) -> None:
    """Replace where a field leads, and leave its costs."""
    height, width = field.shape[:2]
    if displacement.shape[:2] == (2 * height, 2 * width):
        _set_half(field.ravel(), np.ascontiguousarray(displacement).ravel(), (height, width))
    else:
        field[..., :2] = resize_displacement(displacement, height, width)


def to_flow(field: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The displacement (height, width, 2) on another grid, an array of its own."""
    if (height, width) == (2 * field.shape[0], 2 * field.shape[1]):
        displacement = np.empty((height, width, 2), np.float32)
        _set_double(field, displacement)
        return displacement
    return resize_displacement(np.ascontiguousarray(field[..., :2]), height, width)


def follow(step: NDArray[np.float32], onward: NDArray[np.float32]) -> NDArray[np.float32]:
    """Follow ``step``, then ``onward``: D(x) = step(x) + onward(x + step(x)), costs added as displacements are."""
    followed = np.empty_like(step)
    _follow(step.ravel(), onward.ravel(), step.shape[:2], followed.ravel())
    return followed


def follow_part(
    step: NDArray[np.float32], share: float, opposite: NDArray[np.float32], onward: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The same from a picture that lies between two others, assuming even speed.

    Args:
        step: Leads from the far one of the two to the near one.
        share: How much of that way remains, 0 to 1.
        opposite: Leads from the near one to the far one.
        onward: Leads from the near one on.
    """
    followed = np.empty_like(step)
    arguments = step.ravel(), np.float32(share), opposite.ravel(), onward.ravel()
    _follow_part(*arguments, step.shape[:2], followed.ravel())
    return followed


def set_round_trip(there: NDArray[np.float32], back: NDArray[np.float32]) -> None:
    """Make the cost of ``there`` how far the way there and back misses its start."""
    _set_round_trip(there.ravel(), back.ravel(), there.shape[:2])


def halves(field: NDArray[np.float32]) -> NDArray[np.float16]:
    """Where a field leads, (h, w, 2), in half precision: the bits that numpy gives, in a tenth of its time."""
    bits = np.empty((*field.shape[:2], 2), np.uint16)
    _set_halves(field, field.view(np.uint32), bits)
    return bits.view(np.float16)


# ``forceinline``: see ``patch_search``.


@njit(nogil=True, forceinline=True)
def _at(y, x, u, v, size):  # pragma: no cover
    """Elements of the four cells around (y, x) + (v, u), the border repeated, and the weights of the far ones."""
    height, width = size
    column = min(max(np.float32(0), np.float32(x) + u), np.float32(width - 1))
    row = min(max(np.float32(0), np.float32(y) + v), np.float32(height - 1))
    left, top = np.int32(column), np.int32(row)
    right, below = splat4(column - np.float32(left)), splat4(row - np.float32(top))
    upper, lower = np.int64(top) * width, min(np.int64(top) + 1, height - 1) * width
    far = min(np.int64(left) + 1, width - 1)
    return LANES * (upper + left), LANES * (upper + far), LANES * (lower + left), LANES * (lower + far), right, below


@njit(nogil=True, forceinline=True)
def _read(field, y, x, u, v, size):  # pragma: no cover
    """A field at (y, x) + (v, u), bilinear."""
    a, b, c, d, right, below = _at(y, x, u, v, size)
    upper, lower = load4(field, a), load4(field, c)
    upper = multiply_add(right, subtract(load4(field, b), upper), upper)
    lower = multiply_add(right, subtract(load4(field, d), lower), lower)
    return multiply_add(below, subtract(lower, upper), upper)


@njit(cache=True, nogil=True)
def _follow(step, onward, size, followed):  # pragma: no cover
    height, width = size
    for y in range(height):
        for x in range(width):
            cell = LANES * (y * width + x)
            read = _read(onward, y, x, step[cell], step[cell + 1], size)
            store(followed, cell, add(load4(step, cell), read))


@njit(cache=True, nogil=True)
def _follow_part(step, share, opposite, onward, size, followed):  # pragma: no cover
    height, width = size
    passed, left = np.float32(1) - share, splat4(share)
    for y in range(height):
        # Two loops: one cell's two reads wait for each other, those of neighbors do not.
        for x in range(width):
            cell = LANES * (y * width + x)
            # Where the point is on the far picture: its own motion is read there.
            part = _read(step, y, x, passed * opposite[cell], passed * opposite[cell + 1], size)
            store(followed, cell, multiply(left, part))
        for x in range(width):
            cell = LANES * (y * width + x)
            read = _read(onward, y, x, followed[cell], followed[cell + 1], size)
            store(followed, cell, add(load4(followed, cell), read))


@njit(cache=True, nogil=True)
def _set_round_trip(there, back, size):  # pragma: no cover
    height, width = size
    for y in range(height):
        for x in range(width):
            cell = LANES * (y * width + x)
            missed = add(load4(there, cell), _read(back, y, x, there[cell], there[cell + 1], size))
            there[cell + 2] = np.sqrt(lane(missed, 0) ** 2 + lane(missed, 1) ** 2)


@njit(cache=True, nogil=True)
def _set_half(field, displacement, size):  # pragma: no cover
    """The mean of two by two, and half of it."""
    height, width = size
    eighth = np.float32(0.125)
    for y in range(height):
        for x in range(width):
            pixel = 2 * (2 * y * 2 * width + 2 * x)
            upper, lower = load4(displacement, pixel), load4(displacement, pixel + 4 * width)
            for k in range(2):
                total = (lane(upper, k) + lane(upper, k + 2)) + lane(lower, k) + lane(lower, k + 2)
                field[LANES * (y * width + x) + k] = eighth * total


@njit(cache=True, nogil=True)
def _set_double(field, displacement):  # pragma: no cover
    """Bilinear, and twice that."""
    height, width = field.shape[:2]
    much, little = np.float32(1.5), np.float32(0.5)
    above = np.empty(2 * width, np.float32)
    for row in range(2 * height):
        # Rows first, at twice the value; the columns' weights add up to one.
        near, far = row // 2, min(max(row // 2 + (2 * (row % 2) - 1), 0), height - 1)
        for x in range(width):
            for k in range(2):
                above[2 * x + k] = much * field[near, x, k] + little * field[far, x, k]
        for x in range(width):
            before, after = max(x - 1, 0), min(x + 1, width - 1)
            for k in range(2):
                here = np.float32(0.75) * above[2 * x + k]
                displacement[row, 2 * x, k] = here + np.float32(0.25) * above[2 * before + k]
                displacement[row, 2 * x + 1, k] = here + np.float32(0.25) * above[2 * after + k]


@njit(cache=True, nogil=True)
def _set_halves(field, field_bits, bits):  # pragma: no cover
    """IEEE 754, to the nearest, ties to even; numba has no such type."""
    height, width = bits.shape[:2]
    for y in range(height):
        for x in range(width):
            for k in range(2):
                size = field_bits[y, x, k] & np.uint32(0x7FFFFFFF)
                # Ten bits of the fraction are kept; the exponent counts from 15 instead of 127.
                is_odd = (size >> np.uint32(13)) & np.uint32(1)
                normal = (size - np.uint32(112 << 23) + np.uint32(0xFFF) + is_odd) >> np.uint32(13)
                tiny = np.uint32(np.rint(min(abs(field[y, x, k]), np.float32(1)) * np.float32(2**24)))
                half = tiny if size < np.uint32(113 << 23) else min(normal, np.uint32(0x7C00))
                sign = (field_bits[y, x, k] >> np.uint32(16)) & np.uint32(0x8000)
                bits[y, x, k] = np.uint16(half | sign)
