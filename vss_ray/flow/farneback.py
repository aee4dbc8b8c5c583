"""Polynomial expansion (Farneback, SCIA 2003) as OpenCV has it; slower and weaker than DIS, kept for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST, MARGIN = 32, 8
"""Pictures with a side under this many pixels get a margin: OpenCV is wrong near the border, by 30 pixels at 8x8."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The setting that the EVS thesis compares with (section 3.4)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    levels: int = 2
    window: int = 9
    iterations: int = 15

    def __post_init__(self) -> None:
        if not (self.levels >= 0 and self.window >= 2 and self.iterations >= 1):
            raise ValueError(f"wanted levels >= 0, window >= 2, iterations >= 1: got {self}")


class Farneback:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down)."""
        c, margin = self._config, MARGIN if min(here.shape) < SMALLEST else 0
        start = np.zeros((*here.shape, 2), np.float32) if initial is None else initial
        a, b, start = (
            cv2.copyMakeBorder(array, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
            for array in (here, there, start)
        )
        flags = 0 if initial is None else cv2.OPTFLOW_USE_INITIAL_FLOW
        flow = cv2.calcOpticalFlowFarneback(a, b, start, 0.5, c.levels, c.window, c.iterations, 7, 1.5, flags)
        return np.ascontiguousarray(flow[margin : -margin or None, margin : -margin or None], np.float32)


build = Farneback
