"""Sequences from labelled stills: a camera that drives past them, and things that move in front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.camvid import Still
from vss_ray.training import synthetic_motion
from vss_ray.training.occluders import cut_out, send
from vss_ray.training.synthetic_motion import camera_path, smooth_noise, warp


@dataclass(frozen=True, kw_only=True)
class Config:
    """What happens to a still."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    motion: synthetic_motion.Config = field(default_factory=synthetic_motion.Config)
    movers: float = 1.5
    """Things that move in front, on average."""
    moving_classes: tuple[int, ...] = (8, 9, 10)
    """Car, pedestrian, bicyclist."""
    exposure: float = 0.015
    """Standard deviation of the brightness of a frame."""
    noise: int = 4
    """Largest noise of a pixel, levels of 255."""


class Stills:
    """Moves one still after the other; all are kept in memory."""

    def __init__(self, stills: Sequence[Still], config: Config = Config()) -> None:
        """Read the stills.

        Args:
            stills: Those of ``train``.
            config: What happens to them.

        Raises:
            DataError: A picture cannot be read.
        """
        self._config = config
        self._pictures = [(still.image(), still.labels()) for still in stills]
        self._cutouts = [thing for picture in self._pictures for thing in cut_out(*picture, config.moving_classes)]

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``sequences.Source``."""
        image, labels = self._pictures[rng.integers(len(self._pictures))]
        height, width = labels.shape
        count = (length - 1) * step + 1
        path = camera_path(count, height, width, self._config.motion, rng)[::step]
        frames = [warp(image, labels, matrix) for matrix in path]
        number = min(rng.poisson(self._config.movers), 6) if self._cutouts else 0
        expansion = self._config.motion.forward
        for _ in range(number):
            mover = send(self._cutouts[rng.integers(len(self._cutouts))], height, width, expansion, rng)
            middle = int(rng.integers(count))
            for i, (seen, ids) in enumerate(frames):
                mover.paste(seen, ids, i * step - middle)
        exposures = 1 + self._config.exposure * smooth_noise(length, rng)
        noise = int(rng.integers(self._config.noise + 1))
        images = [developed(seen, exposure, noise, rng) for (seen, _), exposure in zip(frames, exposures, strict=True)]
        return np.stack(images), np.stack([ids for _, ids in frames])


def developed(image: NDArray[np.uint8], exposure: float, noise: int, rng: np.random.Generator) -> Any:
    """``image`` as a camera gives it that exposes a little differently, with grain of up to ``noise`` levels."""
    colors = exposure * (1 + 0.005 * rng.normal(0, 1, 3))
    table = np.clip(np.arange(256)[:, None] * colors + 0.5, 0, 255).astype(np.uint8)
    exposed = cv2.LUT(image, table[None])
    if not noise:
        return exposed
    grain = rng.integers(-noise, noise + 1, image.shape, np.int8)
    return cv2.add(exposed, grain, dtype=cv2.CV_8U)
