"""How much each of two keyframes is trusted, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from vss_ray.ops.vectors import LANES, add, divide, exp, load, maximum, multiply, splat, store, subtract
from vss_ray.ops.warp import sample

SMALLEST_TRUST = np.float32(1e-12)
"""Where neither source is like the picture at all, both weigh nothing and the later one is taken."""


def photometric_error(
    here: NDArray[np.uint8], there: NDArray[np.uint8], displacement: NDArray[np.float32], window: int
) -> NDArray[np.uint8]:
    """Box-blurred absolute difference of a picture and another along the displacement, channel by channel.

    Args:
        here: (h, w, 4) luma, two of chroma, and one that does not count.
        there: The other one.
        displacement: (h, w, 2 or more).
        window: Side of the box, cells.

    Returns:
        (h, w, 4) gray levels; see ``gray_levels``.
    """
    return cv2.blur(cv2.absdiff(here, sample(there, displacement)), (window, window))  # type: ignore[return-value]


def doubt(
    error: NDArray[np.uint8], field: NDArray[np.float32], *, error_scale: float, inconsistency_scale: float
) -> NDArray[np.float32]:
    """(h, w) minus the logarithm of the trust in a source, its distance apart; ``weigh`` says what of."""
    likeness, consistency = (
        gray_levels(error) / np.float32(error_scale),
        field[..., 2] / np.float32(inconsistency_scale),
    )
    return np.add(likeness, consistency, dtype=np.float32)


def gray_levels(error: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) mean of the three channels that count; numpy's own mean along so short an axis takes ten times as long."""
    total = np.add(error[..., 0], error[..., 1], dtype=np.float32)
    return np.divide(np.add(total, error[..., 2], dtype=np.float32), 3, dtype=np.float32)


def weigh(
    errors: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    fields: tuple[NDArray[np.float32], NDArray[np.float32]],
    nearness: tuple[float, float],
    *,
    error_scale: float,
    inconsistency_scale: float,
    most_error: float,
    most_inconsistency: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Weight of the first of two sources: its share of the trust, which is nearness x likeness x consistent motion.

    Args:
        errors: (h, w, 4) photometric error of each.
        fields: (h, w, 4) that lead to each; the third channel is the forward-backward error summed along the way.
        nearness: Of each; scales its trust.
        error_scale: Gray levels that cost a factor e.
        inconsistency_scale: Cells that cost a factor e.
        most_error: Gray levels, of the better of the two, from which a cell counts as unreliable.
        most_inconsistency: The same of the forward-backward error, cells.

    Returns:
        (h, w) weight 0 to 1; (h, w) doubt, the lesser of the two; share of unreliable cells.
    """
    height, width = fields[0].shape[:2]
    weight, least = np.empty((2, height, width), np.float32)
    limits = np.array([error_scale, inconsistency_scale, most_error, most_inconsistency], np.float32)
    near = np.array(nearness, np.float32)
    first, last = (error.view(np.int32).reshape(height, width) for error in errors)
    unreliable = _weigh(first, last, fields[0], fields[1], near, limits, weight, least)
    return weight, least, unreliable / (height * width)


@njit(nogil=True, forceinline=True)
def _mean(levels):  # pragma: no cover
    """Of the first three of four bytes: read one by one they would keep LLVM from vectorizing."""
    return np.float32((levels & 255) + ((levels >> 8) & 255) + ((levels >> 16) & 255)) / np.float32(3)


@njit(cache=True, nogil=True)
def _weigh(first_error, last_error, first, last, near, limits, weight, least):  # pragma: no cover
    height, width = weight.shape
    error_scale, inconsistency_scale, most_error, most_inconsistency = limits
    zero = splat(np.float32(0))
    span = -(-width // LANES) * LANES
    # A row of the logarithm of either trust, and of the weight.
    first_row, last_row, shares = np.zeros(span, np.float32), np.zeros(span, np.float32), np.empty(span, np.float32)
    unreliable = 0
    for y in range(height):
        for x in range(width):
            a, b = _mean(first_error[y, x]), _mean(last_error[y, x])
            unreliable += (min(a, b) > most_error) | (min(first[y, x, 2], last[y, x, 2]) > most_inconsistency)
            a = a / error_scale + first[y, x, 2] / inconsistency_scale
            b = b / error_scale + last[y, x, 2] / inconsistency_scale
            first_row[x], last_row[x], least[y, x] = a, b, min(a, b)
        for x in range(0, span, LANES):
            a = multiply(splat(near[0]), exp(subtract(zero, load(first_row, x))))
            b = multiply(splat(near[1]), exp(subtract(zero, load(last_row, x))))
            store(shares, x, divide(a, maximum(add(a, b), splat(SMALLEST_TRUST))))
        for x in range(width):
            weight[y, x] = shares[x]
    return unreliable
