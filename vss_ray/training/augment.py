"""Random views of a labelled still: scale, crop, mirror, color. All randomness comes from the generator given.

A view is drawn once and can be taken of many pictures: all frames of a sequence are seen in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.confusion import VOID


@dataclass(frozen=True, kw_only=True)
class Config:
    """How far a view may be from the still."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    crop: int = 352
    """Side of the square view, pixels."""
    scale: tuple[float, float] = (0.7, 2.0)
    """Range of the enlargement, drawn uniformly in its logarithm."""
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 9.0
    """Largest turn of the hue, degrees."""
    blur: float = 0.2
    """Share of views that are blurred."""
    rare_share: float = 0.5
    """Share of crops that are centred on a pixel of a rare class."""
    rare_classes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to look at a picture, and at all others of its size."""

    crop: int
    matrix: NDArray[np.float64]
    """(2, 3) from pixels of the picture to pixels of the view."""
    mirrored: bool
    blur: float
    """Standard deviation in pixels; 0 does not blur."""
    hue: float
    """Added, in units of two degrees."""
    saturation: float
    contrast: float
    brightness: float
    """Factors; contrast is about the mean of the picture."""

    def take(self, image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """``image`` (H, W, 3) and ``labels`` (H, W): (crop, crop, 3) and (crop, crop); outside is black, void."""
        side = (self.crop, self.crop)
        seen: Any = cv2.warpAffine(image, self.matrix, side, flags=cv2.INTER_LINEAR)
        ids: Any = cv2.warpAffine(labels, self.matrix, side, flags=cv2.INTER_NEAREST, borderValue=VOID)
        if self.mirrored:
            seen, ids = cv2.flip(seen, 1), cv2.flip(ids, 1)
        if self.blur:
            seen = cv2.GaussianBlur(seen, (0, 0), self.blur)
        return self._recolored(seen), ids

    def _recolored(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        levels = np.arange(256, dtype=np.float32)
        hue = (levels + self.hue) % 180
        saturation = np.clip(levels * self.saturation, 0, 255)
        table = np.stack([hue, saturation, levels], 1).astype(np.uint8)[None]
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
        rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        mean = rgb.astype(np.float32).mean()
        stretched = ((levels - mean) * self.contrast + mean) * self.brightness
        return cv2.LUT(rgb, np.clip(stretched, 0, 255).astype(np.uint8))  # type: ignore[return-value]


def random_view(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A view of ``image`` (H, W, 3) and ``labels`` (H, W): (crop, crop, 3) and (crop, crop); outside is black, void."""
    return draw(labels, config, rng).take(image, labels)


def draw(labels: NDArray[np.uint8], config: Config, rng: np.random.Generator) -> View:
    """A view of pictures of the size of ``labels`` (H, W), which say where rare classes are."""
    matrix = _matrix(labels, config, rng)
    mirrored = rng.random() < 0.5
    blur = rng.uniform(0.3, 1.2) if rng.random() < config.blur else 0.0
    return View(
        crop=config.crop,
        matrix=matrix,
        mirrored=mirrored,
        blur=blur,
        hue=rng.uniform(-config.hue, config.hue) / 2,
        saturation=1 + rng.uniform(-config.saturation, config.saturation),
        contrast=1 + rng.uniform(-config.contrast, config.contrast),
        brightness=1 + rng.uniform(-config.brightness, config.brightness),
    )


def _matrix(labels: NDArray[np.uint8], config: Config, rng: np.random.Generator) -> NDArray[np.float64]:
    scale = np.exp(rng.uniform(*np.log(config.scale)))
    height, width = labels.shape
    center = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    if config.rare_classes and rng.random() < config.rare_share:
        rows, columns = np.nonzero(np.isin(labels, config.rare_classes))
        if len(rows):
            pick = rng.integers(len(rows))
            center = np.array([columns[pick], rows[pick]]) + rng.uniform(-0.3, 0.3, 2) * config.crop / scale
    # Keep the view inside the still where the still is larger than the view.
    half = config.crop / scale / 2
    size = np.array([width, height])
    center = np.where(size > 2 * half, np.clip(center, half, np.maximum(half, size - half)), size / 2)
    shift = config.crop / 2 - scale * center
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
