"""Things that move on their own: cut out of labelled stills, pasted in front of others with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SMALLEST, LARGEST = 250, 25000
"""Pixels of a thing that is worth moving."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """One thing: what it looks like, where it is solid, and where it stood."""

    image: NDArray[np.uint8]
    """(h, w, 3)"""
    alpha: NDArray[np.uint8]
    """(h, w) 255 inside, soft at the rim."""
    label: int
    center: tuple[float, float]
    """x and y in its still, as shares of its width and height."""


def cut_out(image: NDArray[np.uint8], labels: NDArray[np.uint8], classes: Sequence[int]) -> list[Cutout]:
    """The connected pieces of ``classes`` that lie wholly inside ``image`` (H, W, 3)."""
    height, width = labels.shape
    found = []
    for label in classes:
        _, pieces, stats, centers = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        for i, (x, y, w, h, area) in enumerate(stats[1:], 1):
            touches = x < 1 or y < 1 or x + w > width - 1 or y + h > height - 1
            if touches or not SMALLEST <= area <= LARGEST:
                continue
            box = np.s_[y - 1 : y + h + 1, x - 1 : x + w + 1]
            inside = pieces[box] == i
            center = (float(centers[i][0] / width), float(centers[i][1] / height))
            found.append(Cutout(_filled(image[box], inside), soft(inside), label, center))
    return found


def soft(inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``Cutout.alpha`` of where a thing is."""
    alpha = cv2.GaussianBlur(inside.astype(np.uint8) * 255, (3, 3), 0, borderType=cv2.BORDER_CONSTANT)
    return alpha  # type: ignore[return-value]


def _filled(image: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The colors of the inside carried on beyond its rim, so that the thing does not bring a seam of its background."""
    weight = inside.astype(np.float32)
    colors = cv2.blur(image * weight[..., None], (5, 5)) / np.maximum(cv2.blur(weight, (5, 5)), 1e-3)[..., None]
    return np.where(inside[..., None], image, np.clip(colors + 0.5, 0, 255).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Mover:
    """A thing on its way."""

    cutout: Cutout
    start: NDArray[np.float64]
    """(2,) x and y of its middle at time 0, pixels."""
    velocity: NDArray[np.float64]
    """(2,) pixels a frame."""
    scale: float
    """At time 0."""
    growth: float
    """Rate a frame."""
    mirrored: bool

    def paste(self, image: NDArray[np.uint8], labels: NDArray[np.uint8], time: float) -> None:
        """Draw it into ``image`` (H, W, 3) and ``labels`` (H, W), in place."""
        scale = self.scale * np.exp(self.growth * time)
        size = np.array(self.cutout.alpha.shape[::-1])
        corner = self.start + self.velocity * time - scale * size / 2
        low = np.clip(np.floor(corner), 0, labels.shape[::-1]).astype(int)
        high = np.clip(np.ceil(corner + scale * size), 0, labels.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        step = -scale if self.mirrored else scale
        first = corner[0] - low[0] + (scale * (size[0] - 1) if self.mirrored else 0)
        matrix = np.array([[step, 0, first], [0, scale, corner[1] - low[1]]])
        side = (int(high[0] - low[0]), int(high[1] - low[1]))
        seen = cv2.warpAffine(self.cutout.image, matrix, side, borderMode=cv2.BORDER_REPLICATE)
        alpha: Any = cv2.warpAffine(self.cutout.alpha, matrix, side)
        box = np.s_[low[1] : high[1], low[0] : high[0]]
        weight = alpha[..., None].astype(np.float32) / 255
        image[box] = (seen * weight + image[box] * (1 - weight) + 0.5).astype(np.uint8)
        labels[box][alpha > 127] = self.cutout.label


def send(cutout: Cutout, height: int, width: int, expansion: float, rng: np.random.Generator) -> Mover:
    """Let a thing move through a picture, about as high in it as it stood in its own.

    Args:
        cutout: The thing.
        height: Of the picture, pixels.
        width: Of the picture, pixels.
        expansion: Rate at which the scene grows, a frame; the thing grows at another, like one.
        rng: Decides.
    """
    start = np.array([rng.uniform(0, width), (cutout.center[1] + rng.normal(0, 0.03)) * height])
    along = rng.normal(0, 2.5) * (width / 480)
    growth = expansion * rng.uniform(-0.5, 1.5)
    from_center = start - (width / 2, 0.45 * height)
    return Mover(
        cutout=cutout,
        start=start,
        velocity=growth * from_center + (along, 0.1 * along * rng.normal()),
        scale=float(np.exp(rng.uniform(-0.4, 0.3))),
        growth=growth,
        mirrored=bool(rng.random() < 0.5),
    )
