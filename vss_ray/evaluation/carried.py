"""Objects without a network, for comparison: their first mask moved along optical flow, or left where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.flow import inverse_search
from vss_ray.ops.warp import resize_displacement, sample

Masks = Mapping[int, NDArray[np.bool_]]
SIDE = 480
"""Shorter side of the pictures between which motion is measured, at most."""


class Standing:
    """Every object stays where it was given."""

    def __init__(self) -> None:
        self._ids: NDArray[np.uint16] | None = None

    def step(self, frame: NDArray[np.uint8], masks: Masks) -> NDArray[np.uint16]:
        """(H, W) ids of objects on a frame (H, W, 3); ``masks`` are those given on it."""
        ids = np.zeros(frame.shape[:2], np.uint16) if self._ids is None else self._ids.copy()
        for number, mask in masks.items():
            ids[ids == number] = 0
            ids[mask] = number
        self._ids = ids
        return ids


class Carried:
    """Every object moves as the pixels do, from frame to frame."""

    def __init__(self) -> None:
        self._flow = inverse_search.build(inverse_search.Config())
        self._gray: NDArray[np.uint8] | None = None
        self._shares: dict[int, NDArray[np.float32]] = {}
        """(H, W) by object: how much of a pixel is its."""

    def step(self, frame: NDArray[np.uint8], masks: Masks) -> NDArray[np.uint16]:
        """See ``Standing.step``."""
        height, width = frame.shape[:2]
        gray = _gray(frame)
        if self._gray is not None and self._shares:
            motion = resize_displacement(self._flow(gray, self._gray), height, width)
            self._shares = {number: sample(share, motion) for number, share in self._shares.items()}
        self._gray = gray
        self._shares |= {number: mask.astype(np.float32) for number, mask in masks.items()}
        ids = np.zeros((height, width), np.uint16)
        largest = np.full((height, width), 0.5, np.float32)
        for number, share in self._shares.items():
            own = share > largest
            ids[own], largest[own] = number, share[own]
        return ids


def _gray(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    gray: Any = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = SIDE / min(gray.shape)
    if scale >= 1:
        return gray
    size = [round(side * scale) for side in gray.shape[::-1]]
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
