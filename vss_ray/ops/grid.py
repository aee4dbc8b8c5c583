"""How many pixels each class has in each cell of a 3x3 grid; one pass over memory, eight bytes at a time."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vss_ray.ops.lanes import lowest, word

SIDE = 3
"""Rows, and columns."""

BYTES = 8
"""Of a word."""


def count_cells(ids: NDArray[np.uint8] | NDArray[np.uint16], num_classes: int) -> NDArray[np.int64]:
    """Pixels of every class in every cell of a picture; other ids, such as void, are left out.

    Args:
        ids: (H, W) class per pixel.
        num_classes: C.

    Returns:
        (9, C), cells row by row; the borders are at ``H * k // 3`` and ``W * k // 3``.
    """
    counts = np.zeros((SIDE, SIDE, max(num_classes, int(np.iinfo(ids.dtype).max) + 1)), np.int64)
    # A word of equal labels is one label times this.
    ones = np.uint64(int.from_bytes(b"\1".ljust(ids.itemsize, b"\0") * (BYTES // ids.itemsize), "little"))
    _count(np.ascontiguousarray(ids), ones, counts)
    return counts[:, :, :num_classes].reshape(SIDE * SIDE, num_classes)


def cell_shares(counts: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """Shares of the cells that classes cover, in 255ths and rounded up: 0 means none.

    Args:
        counts: (..., 9, C) as ``count_cells`` gives them.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
    """
    rows = np.diff(height * np.arange(SIDE + 1) // SIDE)
    columns = np.diff(width * np.arange(SIDE + 1) // SIDE)
    pixels = np.maximum(1, rows[:, None] * columns).reshape(-1, 1)
    return (-(-counts * 255 // pixels)).astype(np.uint8)


@njit(cache=True, nogil=True)
def _count(ids, ones, counts):  # pragma: no cover
    height, width = ids.shape
    for row in range(SIDE):
        for y in range(height * row // SIDE, height * (row + 1) // SIDE):
            for column in range(SIDE):
                first, last = width * column // SIDE, width * (column + 1) // SIDE
                if first < last:
                    _count_runs(ids[y], first, last, ones, counts[row, column])


@njit(nogil=True, inline="always")
def _count_runs(labels, first, last, ones, counts):  # pragma: no cover
    """Labels come in runs: one addition a run, and one comparison a word where none begins."""
    in_word = BYTES // labels.itemsize
    bits = 8 * labels.itemsize
    began, label = first, labels[first]
    x = first
    while x + in_word <= last:
        here = word(labels, x)
        unlike = here ^ (np.uint64(label) * ones)
        while unlike:
            i = lowest(unlike) // bits
            counts[label] += x + i - began
            began, label = x + i, labels[x + i]
            before = np.uint64(i * bits)
            unlike = ((here ^ (np.uint64(label) * ones)) >> before) << before
        x += in_word
    while x < last:
        if labels[x] != label:
            counts[label] += x - began
            began, label = x, labels[x]
        x += 1
    counts[label] += last - began
