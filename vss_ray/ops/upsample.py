"""Labels at full size, exactly those of bilinear upsampling followed by argmax, without doing either on most pixels.

Bilinear weights are a convex combination of four corners. Where the four corners of a cell have the same winner, every
pixel of the cell has it too; elsewhere only classes whose best corner reaches the best guaranteed score can win.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray


def upsample_labels(scores: NDArray[np.floating], height: int, width: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Argmax over classes of ``scores`` enlarged bilinearly (half-pixel centers, as torch's ``align_corners=False``).

    Args:
        scores: (h, w, C) scores per class, C <= 65535.
        height: H, rows of the result.
        width: W, columns of the result.

    Returns:
        (H, W) class per pixel, uint8 up to 255 classes, else uint16. Equal scores: the lower class.

    Raises:
        ValueError: ``scores`` is not (h, w, C), or contains NaN.
    """
    if scores.ndim != 3:
        raise ValueError(f"scores must be (h, w, C): {scores.shape = }")
    scores = np.ascontiguousarray(scores, np.float32)
    labels = np.empty((height, width), np.uint8 if scores.shape[2] <= 255 else np.uint16)
    rows, row_weights = _positions(height, scores.shape[0])
    columns, column_weights = _positions(width, scores.shape[1])
    winners = np.empty(scores.shape[:2], labels.dtype)
    if not _find_winners(scores, winners):
        raise ValueError("scores contain NaN: the network's output is broken")
    _fill(scores, winners, rows, row_weights, columns, column_weights, labels)
    return cast("NDArray[np.uint8] | NDArray[np.uint16]", labels)


def _positions(length: int, cells: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """For every pixel the index of the grid point before it and the weight of the one after it."""
    position = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / length) - np.float32(0.5)
    position = np.maximum(position, np.float32(0))
    before = np.minimum(position.astype(np.int32), cells - 1)
    return before, position - before.astype(np.float32)


@njit(cache=True, nogil=True)
def _find_winners(scores, winners):  # pragma: no cover
    height, width, num_classes = scores.shape
    for y in range(height):
        for x in range(width):
            best, winner = scores[y, x, 0], 0
            if best != best:
                return False
            for c in range(1, num_classes):
                score = scores[y, x, c]
                if score != score:
                    return False
                if score > best:
                    best, winner = score, c
            winners[y, x] = winner
    return True


@njit(cache=True, nogil=True)
def _fill(scores, winners, rows, row_weights, columns, column_weights, labels):  # pragma: no cover
    last_row, last_column, num_classes = scores.shape[0] - 1, scores.shape[1] - 1, scores.shape[2]
    candidates = np.empty(num_classes, np.int64)
    left = np.empty(num_classes, np.float32)
    right = np.empty(num_classes, np.float32)
    height, width = labels.shape
    top = 0
    while top < height:  # one row of cells at a time: pixels [top, bottom) lie between the same two grid rows
        y0 = rows[top]
        y1 = min(y0 + 1, last_row)
        bottom = top + 1
        while bottom < height and rows[bottom] == y0:
            bottom += 1
        start = 0
        while start < width:
            x0 = columns[start]
            x1 = min(x0 + 1, last_column)
            stop = start + 1
            while stop < width and columns[stop] == x0:
                stop += 1
            winner = winners[y0, x0]
            if winner == winners[y0, x1] and winner == winners[y1, x0] and winner == winners[y1, x1]:
                for y in range(top, bottom):
                    for x in range(start, stop):
                        labels[y, x] = winner
            else:
                num_candidates = _candidates(scores, y0, y1, x0, x1, candidates)
                for y in range(top, bottom):
                    below = row_weights[y]
                    above = np.float32(1) - below
                    for i in range(num_candidates):
                        c = candidates[i]
                        left[i] = above * scores[y0, x0, c] + below * scores[y1, x0, c]
                        right[i] = above * scores[y0, x1, c] + below * scores[y1, x1, c]
                    for x in range(start, stop):
                        after = column_weights[x]
                        before = np.float32(1) - after
                        best, pick = before * left[0] + after * right[0], 0
                        for i in range(1, num_candidates):
                            score = before * left[i] + after * right[i]
                            if score > best:
                                best, pick = score, i
                        labels[y, x] = candidates[pick]
            start = stop
        top = bottom


@njit(nogil=True, inline="always")
def _candidates(scores, y0, y1, x0, x1, candidates):  # pragma: no cover
    """Classes that can win somewhere in the cell: best corner not under the best worst corner of any class."""
    guaranteed = np.float32(-np.inf)
    for c in range(scores.shape[2]):
        low = min(min(scores[y0, x0, c], scores[y0, x1, c]), min(scores[y1, x0, c], scores[y1, x1, c]))
        guaranteed = max(guaranteed, low)
    count = 0
    for c in range(scores.shape[2]):
        high = max(max(scores[y0, x0, c], scores[y0, x1, c]), max(scores[y1, x0, c], scores[y1, x1, c]))
        if high >= guaranteed:
            candidates[count] = c
            count += 1
    return count
