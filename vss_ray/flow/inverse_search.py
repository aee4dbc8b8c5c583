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
from numpy.typing import NDArray

from vss_ray.ops.patch_search import BORDER, PATCH, densify, measure_steepness, search

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


@dataclass(frozen=True)
class Scale:
    """A picture at one scale."""

    size: tuple[int, int]
    """(height, width)"""
    continued: NDArray[np.float32]
    """Flat, with its border."""
    rows: NDArray[np.int64]
    """First row of every row of patches."""
    columns: NDArray[np.int64]
    steepness: NDArray[np.float32]
    """(rows, columns, 3) see ``measure_steepness``."""


@dataclass(frozen=True)
class Seen:
    """All that a search needs of one picture, on either side."""

    size: tuple[int, int]
    """(height, width)"""
    scales: tuple[Scale, ...]
    """The finest first; larger than the picture where that has a side under ``SMALLEST``."""


class InverseSearch:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(
        self,
        here: NDArray[np.uint8] | Seen,
        there: NDArray[np.uint8] | Seen,
        initial: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down).

        With a first guess ``initial`` of the same form only the finest scale is searched.
        """
        here, there = (each if isinstance(each, Seen) else self.look(each) for each in (here, there))
        height, width = here.scales[0].size
        if here.size != (height, width):
            factor = np.array([here.size[1] / width, here.size[0] / height], np.float32)
            return cv2.resize(self._solve(here, there), here.size[::-1]) * factor
        if initial is not None:
            return self._solve_scale(here.scales[0], there.scales[0], initial)
        return self._solve(here, there)

    def look(self, picture: NDArray[np.uint8]) -> Seen:
        """A (h, w) picture, to be given to the search in its place: half of the work where it takes part in four."""
        height, width = picture.shape
        if min(height, width) < SMALLEST:
            picture = cv2.resize(picture, (max(width, SMALLEST), max(height, SMALLEST)))  # type: ignore[assignment]
        shrunk = picture.astype(np.float32)
        scales = [self._scale(shrunk)]
        while min(shrunk.shape) // 2 >= SMALLEST:
            size = (shrunk.shape[1] // 2, shrunk.shape[0] // 2)
            shrunk = cv2.resize(shrunk, size, interpolation=cv2.INTER_AREA)
            scales.append(self._scale(shrunk))  # type: ignore[arg-type]
        return Seen((height, width), tuple(scales))

    def _scale(self, picture: NDArray[np.float32]) -> Scale:
        height, width = picture.shape
        continued = cv2.copyMakeBorder(picture, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE).ravel()
        rows, columns = _corners(height, self._config.stride), _corners(width, self._config.stride)
        steepness = np.empty((len(rows), len(columns), 3), np.float32)
        measure_steepness(continued, (height, width), rows, columns, steepness)
        return Scale((height, width), continued, rows, columns, steepness)  # type: ignore[arg-type]

    def _solve(self, here: Seen, there: Seen) -> NDArray[np.float32]:
        displacement = np.zeros((1, 1, 2), np.float32)
        for one, other in zip(reversed(here.scales), reversed(there.scales), strict=True):
            displacement = self._solve_scale(one, other, displacement)
        return displacement

    def _solve_scale(self, here: Scale, there: Scale, coarse: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, columns = here.rows, here.columns
        patches = np.empty((len(rows), len(columns), 2), np.float32)
        errors = np.empty((len(rows), len(columns)), np.float32)
        pictures = (here.continued, there.continued, here.size)
        search(*pictures, here.steepness, coarse, rows, columns, self._config.iterations, patches, errors)
        dense = np.empty((*here.size, 2), np.float32)
        densify(*pictures, rows, columns, patches, dense.ravel())
        return dense


def _corners(length: int, stride: int) -> NDArray[np.int64]:
    """First pixels of the patches along one side; the last patch ends with the picture."""
    return np.array([*range(0, length - PATCH, stride), length - PATCH], np.int64)


build = InverseSearch
