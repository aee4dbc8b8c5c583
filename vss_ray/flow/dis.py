"""Dense inverse search (Kroeger et al., ECCV 2016) as OpenCV has it; the flow of EVS (thesis section 3.4).

The defaults are the thesis' setting: solved at a quarter of the size, stride 4, 12 iterations, no variational
refinement. ``inverse_search`` is the same idea compiled here, and what ``configs/evs.yaml`` uses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

PATCH = 8
SMALLEST = 2 * PATCH
"""Sides under this many pixels are enlarged: patches need room."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How hard to look."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    finest: int = 2
    """Scale of the last solve: pictures are halved this many times."""
    stride: int = 4
    """Distance between patches, pixels of the finest scale."""
    iterations: int = 12
    """Gradient descent steps per patch and scale."""
    normalize: bool = True
    """Subtract each patch's mean: robust to changes of brightness."""

    def __post_init__(self) -> None:
        if not (self.finest >= 0 and 1 <= self.stride <= PATCH and self.iterations >= 1):
            raise ValueError(f"wanted finest >= 0, 1 <= stride <= {PATCH}, iterations >= 1: got {self}")


class Dis:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        # Two: OpenCV's object remembers a guess and lets it leak into later searches that are given none.
        self._free, self._guided = _search(config), _search(config)
        self._finest = config.finest

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down).

        ``initial`` is a first guess of the same form.
        """
        height, width = here.shape
        if min(height, width) < SMALLEST:
            side = (max(width, SMALLEST), max(height, SMALLEST))
            flow = self(cv2.resize(here, side), cv2.resize(there, side))  # type: ignore[arg-type]
            return cv2.resize(flow, (width, height)) * np.array([width / side[0], height / side[1]], np.float32)
        search = self._free if initial is None else self._guided
        # Left to itself OpenCV would choose by the width alone, go on with that, and crash on low pictures.
        search.setFinestScale(min(self._finest, _coarsest(height, width)))
        # It writes its answer into the guess.
        return search.calc(here, there, None if initial is None else initial.copy())  # type: ignore[call-overload,return-value]


def _coarsest(height: int, width: int) -> int:
    """The scale at which OpenCV begins."""
    by_motion = math.log(max(height, width) / (4 * PATCH)) / math.log(2) + 0.5
    by_room = math.log(min(height, width) // PATCH) / math.log(2)
    return min(int(by_motion), int(by_room))


def _search(config: Config) -> cv2.DISOpticalFlow:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(config.finest)
    search.setPatchStride(config.stride)
    search.setGradientDescentIterations(config.iterations)
    search.setUseMeanNormalization(config.normalize)
    return search


build = Dis
