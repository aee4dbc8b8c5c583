"""Dense inverse search (Kroeger et al., ECCV 2016), compiled here for the wide vectors of today's CPUs.

Per scale, coarse to fine: patches of 8x8 pixels of the picture look for their place in the other picture by inverse
compositional Gauss-Newton (section 2.1), starting from the coarser scale or from a neighbor patch that fits better
(forward and backward sweep); every pixel then averages the patches that cover it, weighted by how well they fit it
(section 2.2, equation 3). There is no variational refinement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

PATCH = 8
BORDER = 2 * PATCH
"""Pixels by which the other picture is continued: a patch may leave it by its own length."""
SMALLEST = 2 * PATCH
"""No scale has a side under this."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How hard to look."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    stride: int = 5
    """Distance between patches, pixels."""
    iterations: int = 3
    """Gauss-Newton steps per patch, sweep and scale, at most."""

    def __post_init__(self) -> None:
        if not (1 <= self.stride <= PATCH and self.iterations >= 1):
            raise ValueError(f"wanted 1 <= stride <= {PATCH}, iterations >= 1: got {self}")


class InverseSearch:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down).

        With a first guess ``initial`` of the same form only the finest scale is searched.
        """
        height, width = here.shape
        if min(height, width) < SMALLEST:
            side = (max(width, SMALLEST), max(height, SMALLEST))
            flow = self(cv2.resize(here, side), cv2.resize(there, side))  # type: ignore[arg-type]
            return cv2.resize(flow, (width, height)) * np.array([width / side[0], height / side[1]], np.float32)
        pyramid = [(here.astype(np.float32), there.astype(np.float32))]
        while initial is None and min(pyramid[-1][0].shape) // 2 >= SMALLEST:
            pyramid.append(tuple(_half(picture) for picture in pyramid[-1]))  # type: ignore[arg-type]
        coarse = np.zeros((*pyramid[-1][0].shape, 2), np.float32) if initial is None else initial
        for picture, other in reversed(pyramid):
            coarse = self._solve(picture, other, coarse)
        return coarse

    def _solve(
        self, here: NDArray[np.float32], there: NDArray[np.float32], coarse: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        height, width = here.shape
        if coarse.shape[:2] != here.shape:
            factor = np.array([width / coarse.shape[1], height / coarse.shape[0]], np.float32)
            coarse = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * factor
        continued = cv2.copyMakeBorder(there, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
        kernel = np.array([-0.5, 0.0, 0.5], np.float32)
        one = np.ones(1, np.float32)
        across = cv2.sepFilter2D(here, cv2.CV_32F, kernel, one, borderType=cv2.BORDER_REPLICATE)
        down = cv2.sepFilter2D(here, cv2.CV_32F, one, kernel, borderType=cv2.BORDER_REPLICATE)
        rows, columns = _corners(height, self._config.stride), _corners(width, self._config.stride)
        patches = np.empty((len(rows), len(columns), 2), np.float32)
        errors = np.empty((len(rows), len(columns)), np.float32)
        _search(here, across, down, continued, coarse, rows, columns, self._config.iterations, patches, errors)
        dense = np.empty((height, width, 2), np.float32)
        _densify(here, continued, rows, columns, patches, dense)
        return dense


def _half(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = picture.shape
    return cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _corners(length: int, stride: int) -> NDArray[np.int64]:
    """First pixels of the patches along one side; the last patch ends with the picture."""
    return np.unique(np.append(np.arange(0, length - PATCH, stride), length - PATCH))


# Helpers are inlined into the two compiled functions, always. Left to the compiler, a helper that comes from the cache
# is called and one that is compiled on the spot is merged, and the two round differently: masks would depend on it.


@njit(nogil=True, fastmath=True, inline="always")
def _place(y, x, u, v, height, width):  # pragma: no cover
    """Pixel of the continued picture that a patch's corner falls on, and the bilinear weights."""
    column = min(max(x + u, np.float32(-PATCH)), np.float32(width)) + np.float32(BORDER)
    row = min(max(y + v, np.float32(-PATCH)), np.float32(height)) + np.float32(BORDER)
    left, top = int(column), int(row)
    fx, fy = np.float32(column - left), np.float32(row - top)
    one = np.float32(1)
    return top, left, (one - fy) * (one - fx), (one - fy) * fx, fy * (one - fx), fy * fx


@njit(nogil=True, fastmath=True, inline="always")
def _read(picture, row, column, a, b, c, d):  # pragma: no cover
    """The picture between four pixels, with the weights of ``_place``."""
    return (
        a * picture[row, column]
        + b * picture[row, column + 1]
        + c * picture[row + 1, column]
        + d * picture[row + 1, column + 1]
    )


@njit(nogil=True, fastmath=True, inline="always")
def _misfit(here, there, y, x, u, v):  # pragma: no cover
    """Sum of squared differences of the patch at (y, x) and its place under (u, v)."""
    top, left, a, b, c, d = _place(y, x, u, v, here.shape[0], here.shape[1])
    total = np.float32(0)
    if top < 0 or left < 0 or y < 0 or x < 0:
        return total
    for r in range(PATCH):
        for k in range(PATCH):
            residual = _read(there, top + r, left + k, a, b, c, d) - here[y + r, x + k]
            total += residual * residual
    return total


@njit(nogil=True, fastmath=True, inline="always")
def _descend(here, across, down, there, y, x, u, v, iterations):  # pragma: no cover
    """Gauss-Newton from (u, v); gives back the start where the search runs away."""
    xx, xy, yy = np.float32(0), np.float32(0), np.float32(0)
    if y < 0 or x < 0:
        return u, v
    for r in range(PATCH):
        for k in range(PATCH):
            gx, gy = across[y + r, x + k], down[y + r, x + k]
            xx += gx * gx
            xy += gx * gy
            yy += gy * gy
    xx += np.float32(1e-3)
    yy += np.float32(1e-3)
    scale = np.float32(1) / (xx * yy - xy * xy)
    u0, v0 = u, v
    for _ in range(iterations):
        top, left, a, b, c, d = _place(y, x, u, v, here.shape[0], here.shape[1])
        bx, by = np.float32(0), np.float32(0)
        if top < 0 or left < 0:
            break
        for r in range(PATCH):
            for k in range(PATCH):
                residual = _read(there, top + r, left + k, a, b, c, d) - here[y + r, x + k]
                bx += across[y + r, x + k] * residual
                by += down[y + r, x + k] * residual
        du = scale * (yy * bx - xy * by)
        dv = scale * (xx * by - xy * bx)
        u -= du
        v -= dv
        if du * du + dv * dv < np.float32(1e-2):
            break
    if (u - u0) ** 2 + (v - v0) ** 2 > np.float32(PATCH * PATCH):
        return u0, v0
    return u, v


@njit(cache=True, nogil=True, fastmath=True)
def _search(here, across, down, there, coarse, rows, columns, iterations, patches, errors):  # pragma: no cover
    num_rows, num_columns = len(rows), len(columns)
    half = PATCH // 2
    for sweep in range(2):
        for m in range(num_rows):
            i = m if sweep == 0 else num_rows - 1 - m
            for n in range(num_columns):
                j = n if sweep == 0 else num_columns - 1 - n
                y, x = rows[i], columns[j]
                if sweep == 0:
                    u, v = coarse[y + half, x + half, 0], coarse[y + half, x + half, 1]
                    before_i, before_j = i - 1, j - 1
                    best = _misfit(here, there, y, x, u, v)
                else:
                    u, v = patches[i, j, 0], patches[i, j, 1]
                    before_i, before_j = i + 1, j + 1
                    best = errors[i, j]
                is_new = sweep == 0
                if 0 <= before_j < num_columns:
                    other_u, other_v = patches[i, before_j, 0], patches[i, before_j, 1]
                    if (other_u - u) ** 2 + (other_v - v) ** 2 > np.float32(0.01):
                        error = _misfit(here, there, y, x, other_u, other_v)
                        if error < best:
                            u, v, best, is_new = other_u, other_v, error, True
                if 0 <= before_i < num_rows:
                    other_u, other_v = patches[before_i, j, 0], patches[before_i, j, 1]
                    if (other_u - u) ** 2 + (other_v - v) ** 2 > np.float32(0.01):
                        error = _misfit(here, there, y, x, other_u, other_v)
                        if error < best:
                            u, v, best, is_new = other_u, other_v, error, True
                if is_new:
                    new_u, new_v = _descend(here, across, down, there, y, x, u, v, iterations)
                    error = _misfit(here, there, y, x, new_u, new_v)
                    if error < best:
                        u, v, best = new_u, new_v, error
                patches[i, j, 0], patches[i, j, 1], errors[i, j] = u, v, best


@njit(cache=True, nogil=True, fastmath=True)
def _densify(here, there, rows, columns, patches, dense):  # pragma: no cover
    height, width = here.shape
    weights = np.zeros((height, width), np.float32)
    across = np.zeros((height, width), np.float32)
    down = np.zeros((height, width), np.float32)
    one = np.float32(1)
    for i in range(len(rows)):
        for j in range(len(columns)):
            y, x = rows[i], columns[j]
            u, v = patches[i, j, 0], patches[i, j, 1]
            top, left, a, b, c, d = _place(y, x, u, v, height, width)
            if top < 0 or left < 0 or y < 0 or x < 0:
                continue
            for r in range(PATCH):
                for k in range(PATCH):
                    residual = _read(there, top + r, left + k, a, b, c, d) - here[y + r, x + k]
                    weight = one / max(one, abs(residual))
                    weights[y + r, x + k] += weight
                    across[y + r, x + k] += weight * u
                    down[y + r, x + k] += weight * v
    for y in range(height):
        for x in range(width):
            share = one / weights[y, x]
            dense[y, x, 0] = across[y, x] * share
            dense[y, x, 1] = down[y, x] * share


build = InverseSearch
