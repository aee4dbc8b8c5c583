"""A flow that is exact when the whole picture moves by whole pixels. A plug-in by dotted path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Config:
    """How far to look."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    reach: int = 20
    """Pixels."""


class WholeShift:
    """Finds the middle of one picture in the other."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """One displacement for all pixels, (h, w, 2) float32."""
        reach = min(self._config.reach, min(here.shape) // 3)
        misfit = cv2.matchTemplate(there, here[reach:-reach, reach:-reach], cv2.TM_SQDIFF)
        y, x = np.unravel_index(int(misfit.argmin()), misfit.shape)
        return np.full((*here.shape, 2), (int(x) - reach, int(y) - reach), np.float32)


build = WholeShift
