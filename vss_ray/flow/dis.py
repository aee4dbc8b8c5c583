"""Dense inverse search (Kroeger et al., ECCV 2016) as OpenCV has it; the flow of EVS (thesis section 3.4).

The thesis' setting is ``finest=2, stride=4, iterations=12`` on full-size pictures. The defaults here solve at the full
resolution of pictures that are small already: patches lie denser on the scene, which is what propagation lives on.
Mean normalization is off: it costs time and, on footage without flicker, accuracy (configs/README.md has the rows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST = 16
"""Sides under this many pixels are enlarged: patches of 8 pixels need room."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How hard to look."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    finest: int = 0
    """Scale of the last solve: pictures are halved this many times."""
    stride: int = 5
    """Distance between patches, pixels of the finest scale."""
    iterations: int = 12
    """Gradient descent steps per patch and scale."""
    normalize: bool = False
    """Subtract each patch's mean: robust to changes of brightness."""


class Dis:
    """Motion between two gray pictures."""

    def __init__(self, config: Config) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(config.finest)
        self._dis.setPatchStride(config.stride)
        self._dis.setGradientDescentIterations(config.iterations)
        self._dis.setUseMeanNormalization(config.normalize)

    def __call__(
        self, here: NDArray[np.uint8], there: NDArray[np.uint8], initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Displacement u with here(x) ~ there(x + u(x)): (h, w, 2) float32 pixels, (right, down).

        ``initial`` is a first guess of the same form.
        """
        height, width = here.shape
        if min(height, width) < SMALLEST:
            side = (max(width, SMALLEST), max(height, SMALLEST))
            flow = self._dis.calc(cv2.resize(here, side), cv2.resize(there, side), None)  # type: ignore[call-overload]
            return cv2.resize(flow, (width, height)) * np.array([width / side[0], height / side[1]], np.float32)
        start = None if initial is None else initial.copy()  # OpenCV writes its answer into the guess
        return self._dis.calc(here, there, start)  # type: ignore[call-overload,return-value]


build = Dis
