"""Local attention on one CPU thread: cells read a window of each memory frame (Paul et al., IROS 2021, eq. 4.4, 4.5).

The definition, with one softmax over frames and windows, is in ``vss_ray.networks.local_attention``. Here four cells of
a row go together. Their windows overlap, so that a register of keys serves four dot products and a register of values
four sums; what lies in one cell's window and not in another's weighs nothing there. Frames come one after the other,
the softmax being carried along (Milakov and Gimelshein, 2018). Nothing is unfolded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vss_ray.ops.vectors import (
    LANES,
    add,
    exp,
    largest,
    load,
    maximum,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
    total,
)

CELLS = 4
"""Cells of a row that go together."""
CHANNELS = 4 * LANES
"""Channels of values that are summed at once."""
OUTSIDE = np.float32(-1e30)
"""Score of what is not in the window."""


def attend(
    queries: NDArray[np.float32],
    keys: Sequence[NDArray[np.float32]],
    values: Sequence[NDArray[np.float32]],
    window: int,
    *,
    zero_padding: bool = False,
) -> NDArray[np.float32]:
    """What every cell reads from the memory.

    Args:
        queries: (h, w, K) of the picture.
        keys: (h, K, w) of each memory frame, one or more.
        values: (h, w, V) of each memory frame.
        window: Side of the window in cells, odd.
        zero_padding: Positions outside the frame take part in the softmax with score and value 0.

    Returns:
        (h, w, V) float32.

    Raises:
        ValueError: No memory, an even window, or shapes that do not fit.
    """
    height, width, key_channels = queries.shape
    num_values = values[0].shape[-1] if values else 0
    if window < 1 or window % 2 == 0:
        raise ValueError(f"wanted an odd window of 1 or more cells, got {window = }")
    if not keys or len(keys) != len(values):
        raise ValueError(f"wanted keys and values of the same frames, got {len(keys) = }, {len(values) = }")
    for key, value in zip(keys, values, strict=True):
        if key.shape != (height, key_channels, width) or value.shape != (height, width, num_values):
            raise ValueError(f"shapes do not fit: {queries.shape = }, {key.shape = }, {value.shape = }")
    radius = window // 2
    padded_width = -(-width // CELLS) * CELLS
    span = -(-(window + CELLS - 1) // LANES) * LANES
    padded_queries = _padded(queries, (height, padded_width, key_channels))
    read = np.zeros((height, padded_width, -(-num_values // CHANNELS) * CHANNELS), np.float32)
    mass = np.zeros((height, padded_width), np.float32)
    if zero_padding:
        mass[:, :width] = len(keys) * (window**2 - np.outer(_inside(height, radius), _inside(width, radius)))
    # A cell that reads no zeros must not be scaled by theirs: all of its weights could be too small for a float.
    peak = np.where(mass > 0, np.float32(0), OUTSIDE)
    border = np.full(padded_width + span, OUTSIDE, np.float32)
    border[radius : radius + width] = 0
    reach = np.full((CELLS, span), OUTSIDE, np.float32)
    for cell in range(CELLS):
        reach[cell, cell : cell + window] = 0
    scores = np.empty((window, CELLS, span), np.float32)
    for key, value in zip(keys, values, strict=True):
        padded_key = np.zeros((height, key_channels, padded_width + span), np.float32)
        padded_key[..., radius : radius + width] = key
        padded_value = _padded(value, (height, width, read.shape[-1]))
        _attend(
            padded_queries.ravel(),
            padded_key.ravel(),
            padded_value.ravel(),
            border,
            reach.ravel(),
            (height, width, key_channels, read.shape[-1], radius),
            scores.ravel(),
            peak,
            mass,
            read.ravel(),
        )
    read /= mass[..., None]
    return read[:, :width, :num_values]


def _inside(length: int, radius: int) -> NDArray[np.int64]:
    """How many of the positions of each cell's window lie inside, along one side."""
    cell = np.arange(length)
    return np.minimum(cell + radius, length - 1) - np.maximum(cell - radius, 0) + 1


def _padded(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if array.shape == shape:
        return np.ascontiguousarray(array, np.float32)
    padded = np.zeros(shape, np.float32)
    padded[tuple(slice(length) for length in array.shape)] = array
    return padded


@njit(cache=True, nogil=True)
def _attend(queries, keys, values, border, reach, sizes, scores, peak, mass, read):  # pragma: no cover
    """One memory frame; ``read`` is the sum of values so far, to be divided by ``mass``, scaled by exp(-``peak``)."""
    height, width, key_channels, value_channels, radius = sizes
    padded_width, span = peak.shape[1], len(reach) // CELLS
    stride = padded_width + span
    for y in range(height):
        top, bottom = max(0, y - radius), min(height, y + radius + 1)
        for x in range(0, padded_width, CELLS):
            cell = y * padded_width + x
            q0 = cell * key_channels
            q1, q2, q3 = q0 + key_channels, q0 + 2 * key_channels, q0 + 3 * key_channels
            m0, m1, m2, m3 = splat(peak[y, x]), splat(peak[y, x + 1]), splat(peak[y, x + 2]), splat(peak[y, x + 3])
            for row in range(top, bottom):
                for lane in range(0, span, LANES):
                    s0 = load(border, x + lane)
                    s1 = s2 = s3 = s0
                    k = row * key_channels * stride + x + lane
                    for c in range(key_channels):
                        key = load(keys, k + c * stride)
                        s0 = multiply_add(splat(queries[q0 + c]), key, s0)
                        s1 = multiply_add(splat(queries[q1 + c]), key, s1)
                        s2 = multiply_add(splat(queries[q2 + c]), key, s2)
                        s3 = multiply_add(splat(queries[q3 + c]), key, s3)
                    s0, s1 = add(s0, load(reach, lane)), add(s1, load(reach, span + lane))
                    s2, s3 = add(s2, load(reach, 2 * span + lane)), add(s3, load(reach, 3 * span + lane))
                    m0, m1, m2, m3 = maximum(m0, s0), maximum(m1, s1), maximum(m2, s2), maximum(m3, s3)
                    at = (row - top) * CELLS * span + lane
                    store(scores, at, s0)
                    store(scores, at + span, s1)
                    store(scores, at + 2 * span, s2)
                    store(scores, at + 3 * span, s3)
            f0 = _softmax(scores, 0, span, bottom - top, m0, peak, mass, y, x)
            f1 = _softmax(scores, 1, span, bottom - top, m1, peak, mass, y, x)
            f2 = _softmax(scores, 2, span, bottom - top, m2, peak, mass, y, x)
            f3 = _softmax(scores, 3, span, bottom - top, m3, peak, mass, y, x)
            first, last = max(0, x - radius), min(width, x + CELLS + radius)
            for channel in range(0, value_channels, CHANNELS):
                r0 = cell * value_channels + channel
                r1, r2, r3 = r0 + value_channels, r0 + 2 * value_channels, r0 + 3 * value_channels
                # Named by cell and channels: sixteen registers.
                a0, a1, a2, a3 = _scaled(read, r0, f0)
                b0, b1, b2, b3 = _scaled(read, r1, f1)
                c0, c1, c2, c3 = _scaled(read, r2, f2)
                d0, d1, d2, d3 = _scaled(read, r3, f3)
                for row in range(top, bottom):
                    at = (row - top) * CELLS * span - (x - radius)
                    for column in range(first, last):
                        v = (row * width + column) * value_channels + channel
                        v0, v1 = load(values, v), load(values, v + LANES)
                        v2, v3 = load(values, v + 2 * LANES), load(values, v + 3 * LANES)
                        p = splat(scores[at + column])
                        a0, a1 = multiply_add(p, v0, a0), multiply_add(p, v1, a1)
                        a2, a3 = multiply_add(p, v2, a2), multiply_add(p, v3, a3)
                        p = splat(scores[at + column + span])
                        b0, b1 = multiply_add(p, v0, b0), multiply_add(p, v1, b1)
                        b2, b3 = multiply_add(p, v2, b2), multiply_add(p, v3, b3)
                        p = splat(scores[at + column + 2 * span])
                        c0, c1 = multiply_add(p, v0, c0), multiply_add(p, v1, c1)
                        c2, c3 = multiply_add(p, v2, c2), multiply_add(p, v3, c3)
                        p = splat(scores[at + column + 3 * span])
                        d0, d1 = multiply_add(p, v0, d0), multiply_add(p, v1, d1)
                        d2, d3 = multiply_add(p, v2, d2), multiply_add(p, v3, d3)
                _store4(read, r0, a0, a1, a2, a3)
                _store4(read, r1, b0, b1, b2, b3)
                _store4(read, r2, c0, c1, c2, c3)
                _store4(read, r3, d0, d1, d2, d3)


@njit(nogil=True, inline="always")
def _softmax(scores, cell, span, num_rows, high, peak, mass, y, x):  # pragma: no cover
    """Turn scores into weights relative to the new peak; the factor that brings older sums to it."""
    new = largest(high)
    shift, sums = splat(new), splat(np.float32(0))
    for row in range(num_rows):
        for lane in range(0, span, LANES):
            at = (row * CELLS + cell) * span + lane
            weight = exp(subtract(load(scores, at), shift))
            sums = add(sums, weight)
            store(scores, at, weight)
    factor = np.exp(peak[y, x + cell] - new)
    mass[y, x + cell] = mass[y, x + cell] * factor + total(sums)
    peak[y, x + cell] = new
    return splat(factor)


@njit(nogil=True, inline="always")
def _scaled(array, index, factor):  # pragma: no cover
    return (
        multiply(factor, load(array, index)),
        multiply(factor, load(array, index + LANES)),
        multiply(factor, load(array, index + 2 * LANES)),
        multiply(factor, load(array, index + 3 * LANES)),
    )


@njit(nogil=True, inline="always")
def _store4(array, index, a, b, c, d):  # pragma: no cover
    store(array, index, a)
    store(array, index + LANES, b)
    store(array, index + 2 * LANES, c)
    store(array, index + 3 * LANES, d)
