"""Random views of a labelled still: scale, crop, mirror, color. All randomness comes from the generator given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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


def random_view(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A view of ``image`` (H, W, 3) and ``labels`` (H, W): (crop, crop, 3) and (crop, crop); outside is black, void."""
    image, labels = _scale_and_crop(image, labels, config, rng)
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if rng.random() < config.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))  # type: ignore[assignment]
    return _jitter(image, config, rng), np.ascontiguousarray(labels)


def _scale_and_crop(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
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
    matrix = np.array(
        [[scale, 0, config.crop / 2 - scale * center[0]], [0, scale, config.crop / 2 - scale * center[1]]]
    )
    side = (config.crop, config.crop)
    view = cv2.warpAffine(image, matrix, side, flags=cv2.INTER_LINEAR)
    ids = cv2.warpAffine(labels, matrix, side, flags=cv2.INTER_NEAREST, borderValue=VOID)
    return view, ids  # type: ignore[return-value]


def _jitter(image: NDArray[np.uint8], config: Config, rng: np.random.Generator) -> NDArray[np.uint8]:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(-config.hue, config.hue) / 2) % 180
    hsv[..., 1] *= 1 + rng.uniform(-config.saturation, config.saturation)
    rgb = cv2.cvtColor(np.clip(hsv, 0, [180, 255, 255]).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    mean = rgb.mean()
    rgb = (rgb - mean) * (1 + rng.uniform(-config.contrast, config.contrast)) + mean
    rgb *= 1 + rng.uniform(-config.brightness, config.brightness)
    return np.clip(rgb, 0, 255).astype(np.uint8)
