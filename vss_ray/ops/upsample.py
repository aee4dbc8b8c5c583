"""Labels at full size, exactly those of bilinear upsampling followed by argmax, without doing either on most pixels.

Bilinear weights are a convex combination of four corners. Where the four corners of a cell have the same winner, every
pixel of the cell has it too; elsewhere only classes whose best corner reaches the best guaranteed score can win.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vss_ray.ops.half import widened
from vss_ray.ops.lanes import (
    at_least,
    equal,
    larger,
    largest,
    load_some,
    lowest,
    smaller,
    store_some,
    unlike_itself,
    where_greater,
    word,
)
from vss_ray.ops.vectors import LANES, add, multiply, splat, subtract

LEAST = np.float32(-np.inf)


class Positions(NamedTuple):
    """Where the n pixels of one side lie on the grid of scores."""

    before: NDArray[np.int32]
    """(n,) index of the grid point before each pixel."""
    weight: NDArray[np.float32]
    """(n,) weight of the grid point after it."""
    starts: NDArray[np.int32]
    """First pixel of every cell that has any, then n."""


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
    scores = widened(scores) if scores.dtype == np.float16 else np.ascontiguousarray(scores, np.float32)
    labels = np.empty((height, width), np.uint8 if scores.shape[2] <= 255 else np.uint16)
    winners = np.empty(scores.shape[:2], labels.dtype)
    if not _find_winners(scores, winners):
        raise ValueError("scores contain NaN: the network's output is broken")
    _fill(scores, winners, _positions(height, scores.shape[0]), _positions(width, scores.shape[1]), labels)
    return cast("NDArray[np.uint8] | NDArray[np.uint16]", labels)


@lru_cache(maxsize=16)
def _positions(length: int, cells: int) -> Positions:
    position = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / length) - np.float32(0.5)
    position = np.maximum(position, np.float32(0))
    before = np.minimum(position.astype(np.int32), cells - 1)
    starts = np.flatnonzero(np.diff(before, prepend=-1, append=cells)).astype(np.int32)
    return Positions(before, position - before.astype(np.float32), starts)


@njit(cache=True, nogil=True)
def _find_winners(scores, winners):  # pragma: no cover
    height, width, num_classes = scores.shape
    for y in range(height):
        for x in range(width):
            first = (y * width + x) * num_classes
            best = load_some(scores, first, num_classes, LEAST)
            broken = unlike_itself(best, best)
            for k in range(LANES, num_classes, LANES):
                more = load_some(scores, first + k, num_classes - k, LEAST)
                broken |= unlike_itself(more, more)
                best = larger(best, more)
            if broken:
                return False
            best = splat(largest(best))
            for k in range(0, num_classes, LANES):
                those = equal(load_some(scores, first + k, num_classes - k, LEAST), best)
                if those:
                    winners[y, x] = k + lowest(those)
                    break
    return True


@njit(cache=True, nogil=True)
def _fill(scores, winners, rows, columns, labels):  # pragma: no cover
    width, num_classes = scores.shape[1:]
    num_cells = columns.starts.size - 1
    candidates, undecided = np.empty(num_classes, np.int64), np.empty(num_cells, np.int64)
    unlike = np.zeros(width + 8, np.uint8)
    for i in range(rows.starts.size - 1):  # pixels [top, bottom) lie between the same two rows of the grid
        top, bottom = rows.starts[i], rows.starts[i + 1]
        y0 = rows.before[top]
        y1 = min(y0 + 1, scores.shape[0] - 1)
        if num_cells == width:
            _compare(winners[y0], winners[y1], unlike)
        else:  # points of the grid are skipped: cells that agree, each in itself, may have different winners
            unlike[:num_cells] = 1
        num_undecided = began = 0  # from one undecided cell to the next all cells have the same winner
        for first in range(0, num_cells, 8):
            flags = word(unlike, first)
            while flags:
                j = first + lowest(flags) // 8
                labels[top, columns.starts[began] : columns.starts[j]] = winners[y0, began]
                undecided[num_undecided] = j
                num_undecided += 1
                began = j + 1
                flags &= flags - np.uint64(1)
        if began < num_cells:
            labels[top, columns.starts[began] :] = winners[y0, began]
        for y in range(top + 1, bottom):
            labels[y] = labels[top]
        for n in range(num_undecided):
            start, stop = columns.starts[undecided[n]], columns.starts[undecided[n] + 1]
            x0 = columns.before[start]
            x1 = min(x0 + 1, width - 1)
            upper, lower = y0 * width, y1 * width
            corners = (
                (upper + x0) * num_classes,
                (upper + x1) * num_classes,
                (lower + x0) * num_classes,
                (lower + x1) * num_classes,
            )
            able = candidates[: _candidates(scores, corners, num_classes, candidates)]
            for first in range(start, stop, LANES):
                after = load_some(columns.weight, first, stop - first, np.float32(0))
                for y in range(top, bottom):
                    chosen = _decide(scores, corners, able, rows.weight[y], after)
                    store_some(labels, y * labels.shape[1] + first, stop - first, chosen)


@njit(nogil=True, inline="always")
def _compare(upper, lower, unlike):  # pragma: no cover
    """1 for every cell between two rows of the grid whose corners have different winners, else 0."""
    last = upper.size - 1
    for x in range(last):
        winner = upper[x]
        unlike[x] = (winner != upper[x + 1]) | (winner != lower[x]) | (winner != lower[x + 1])
    unlike[last] = upper[last] != lower[last]


@njit(nogil=True, inline="always")
def _candidates(scores, corners, num_classes, candidates):  # pragma: no cover
    """Classes that can win somewhere in the cell: best corner not under the best worst corner of any class."""
    a, b, c, d = corners
    guaranteed = LEAST
    for k in range(0, num_classes, LANES):
        n = num_classes - k
        above = smaller(load_some(scores, a + k, n, LEAST), load_some(scores, b + k, n, LEAST))
        below = smaller(load_some(scores, c + k, n, LEAST), load_some(scores, d + k, n, LEAST))
        guaranteed = max(guaranteed, largest(smaller(above, below)))
    count = 0
    for k in range(0, num_classes, LANES):
        n = min(num_classes - k, LANES)
        above = larger(load_some(scores, a + k, n, LEAST), load_some(scores, b + k, n, LEAST))
        below = larger(load_some(scores, c + k, n, LEAST), load_some(scores, d + k, n, LEAST))
        those = at_least(larger(above, below), splat(guaranteed)) & ((1 << n) - 1)
        while those:
            candidates[count] = k + lowest(those)
            count += 1
            those &= those - 1
    return count


@njit(nogil=True, inline="always")
def _decide(scores, corners, candidates, below, after):  # pragma: no cover
    """Which candidate wins on pixels of one row; ``below`` weighs the lower corners, ``after`` the right ones."""
    a, b, c, d = corners
    flat = scores.reshape(-1)
    above, before = np.float32(1) - below, subtract(splat(np.float32(1)), after)
    best, chosen = splat(LEAST), splat(np.float32(candidates[0]))
    for i in range(candidates.size):
        k = candidates[i]
        left = multiply(before, splat(above * flat[a + k] + below * flat[c + k]))
        score = add(left, multiply(after, splat(above * flat[b + k] + below * flat[d + k])))
        chosen = where_greater(score, best, splat(np.float32(k)), chosen)
        best = larger(score, best)
    return chosen
