"""Polynomial expansion (Farneback, SCIA 2003) as OpenCV has it; slower and weaker than DIS, kept for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Config:
    """The setting that the EVS thesis compares with (section 3.4)."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    levels: int = 2
    window: int = 9
    iterations: int = 15


class Farneback:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down)."""
        c = self._config
        start = np.zeros((*here.shape, 2), np.float32) if initial is None else initial.copy()
        flags = 0 if initial is None else cv2.OPTFLOW_USE_INITIAL_FLOW
        return cv2.calcOpticalFlowFarneback(  # type: ignore[return-value]
            here, there, start, 0.5, c.levels, c.window, c.iterations, 7, 1.5, flags
        )


build = Farneback
