"""How many pixels each class has in each cell of a 3x3 grid; one pass over memory."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SIDE = 3
"""Rows, and columns."""


def count_cells(ids: NDArray[np.uint8] | NDArray[np.uint16], num_classes: int) -> NDArray[np.int64]:
    """Pixels of every class in every cell of a picture; other ids, such as void, are left out.

    Args:
        ids: (H, W) class per pixel.
        num_classes: C.

    Returns:
        (9, C), cells row by row; the borders are at ``H * k // 3`` and ``W * k // 3``.
    """
    counts = np.zeros((SIDE, SIDE, max(num_classes, int(np.iinfo(ids.dtype).max) + 1)), np.int64)
    _count(ids, counts)
    return counts[:, :, :num_classes].reshape(SIDE * SIDE, num_classes)


def cell_shares(counts: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    """Shares of the cells that classes cover, (9, C), in 255ths and rounded up: 0 means none.

    Args:
        counts: (9, C) as ``count_cells`` gives them.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
    """
    rows = np.diff(height * np.arange(SIDE + 1) // SIDE)
    columns = np.diff(width * np.arange(SIDE + 1) // SIDE)
    pixels = np.maximum(1, rows[:, None] * columns).reshape(-1, 1)
    return (-(-counts * 255 // pixels)).astype(np.uint8)


@njit(cache=True, nogil=True)
def _count(ids, counts):  # pragma: no cover
    height, width = ids.shape
    for y in range(height):
        row = counts[_cell(y, height)]
        for column in range(SIDE):
            cell, left = row[column], width * column // SIDE
            for x in range(left, width * (column + 1) // SIDE):
                if ids[y, x] != ids[y, left]:  # labels come in runs: one addition a run, not one a pixel
                    cell[ids[y, left]] += x - left
                    left = x
            right = width * (column + 1) // SIDE
            if left < right:
                cell[ids[y, left]] += right - left


@njit(cache=True, nogil=True)
def _cell(position, length):  # pragma: no cover
    """The cell with ``length * k // 3 <= position``, the last one."""
    cell = 0
    while cell < SIDE - 1 and position >= length * (cell + 1) // SIDE:
        cell += 1
    return cell
