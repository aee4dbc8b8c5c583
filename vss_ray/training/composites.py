"""Sequences of things to follow, made of labelled stills: what stands in one, and cutouts that move in front of it.

Half of the cutouts are things, half of them pieces of any shape with any texture, so that nothing is learned about
streets alone; some come twice, as look-alikes. All of a frame is bent a little, differently in every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.camvid import Still
from vss_ray.metrics.confusion import VOID
from vss_ray.training import synthetic_motion
from vss_ray.training.moving_stills import developed
from vss_ray.training.occluders import SMALLEST, Cutout, Mover, cut_out, soft
from vss_ray.training.synthetic_motion import camera_path, smooth_noise, warp

MOST = 6
"""Cutouts of a sequence."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What happens to a still."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    motion: synthetic_motion.Config = field(default_factory=synthetic_motion.Config)
    classes: tuple[int, ...] = (8, 9, 10)
    """Car, pedestrian, bicyclist: what is a thing."""
    cutouts: float = 2.0
    """Beside the first, on average."""
    shapes: int = 400
    """Pieces of any shape that there are to choose from."""
    twins: float = 0.5
    """Share of the further cutouts that look like the first."""
    speed: float = 4.0
    """Standard deviation of a cutout's motion, pixels a frame of 15 Hz."""
    growth: float = 0.01
    """Standard deviation of its rate of growth, a frame."""
    bend: float = 3.0
    """Standard deviation of what a frame is bent by, pixels."""
    exposure: float = 0.03
    """Standard deviation of the brightness of a frame."""
    noise: int = 6
    """Largest noise of a pixel, levels of 255."""


class Composites:
    """Moves one still after the other; all are kept in memory."""

    def __init__(self, stills: Sequence[Still], config: Config = Config(), seed: int = 0) -> None:
        """Read the stills and cut them up.

        Raises:
            DataError: A picture cannot be read.
        """
        self._config = config
        pictures = [(still.image(), still.labels()) for still in stills]
        self._scenes = [(image, _numbered(labels, config.classes)) for image, labels in pictures]
        self._things = [thing for picture in pictures for thing in cut_out(*picture, config.classes)]
        rng = np.random.default_rng(seed)
        self._shapes = [_shape(pictures[rng.integers(len(pictures))][0], rng) for _ in range(config.shapes)]

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Consecutive frames, ``step`` frames of 15 Hz apart.

        Returns:
            Pictures (length, H, W, 3) RGB and ids (length, H, W): one a thing, the same in all frames; 0 is nothing.
        """
        config = self._config
        image, numbers = self._scenes[rng.integers(len(self._scenes))]
        height, width = numbers.shape
        count = (length - 1) * step + 1
        path = camera_path(count, height, width, config.motion, rng)[::step]
        frames = [warp(image, numbers, matrix) for matrix in path]
        for _, ids in frames:
            ids[ids == VOID] = 0
        first_free = int(numbers.max()) + 1
        for place, mover in enumerate(self._movers(height, width, rng)):
            mover = replace(mover, cutout=replace(mover.cutout, label=first_free + place))
            middle = int(rng.integers(count))
            for i, (seen, ids) in enumerate(frames):
                mover.paste(seen, ids, i * step - middle)
        bends = _bends(length, height, width, config.bend, rng)
        frames = [_bent(seen, ids, bend) for (seen, ids), bend in zip(frames, bends, strict=True)]
        exposures = 1 + config.exposure * smooth_noise(length, rng)
        noise = int(rng.integers(config.noise + 1))
        images = [developed(seen, exposure, noise, rng) for (seen, _), exposure in zip(frames, exposures, strict=True)]
        return np.stack(images), np.stack([ids for _, ids in frames])

    def _movers(self, height: int, width: int, rng: np.random.Generator) -> list[Mover]:
        config = self._config
        first = self._cutout(rng)
        movers = []
        for number in range(1 + min(rng.poisson(config.cutouts), MOST - 1)):
            cutout = first
            if number:
                cutout = _recolored(first, rng) if rng.random() < config.twins else self._cutout(rng)
            side = float(np.sqrt((cutout.alpha > 127).sum()))
            wanted = np.exp(rng.uniform(np.log(25), np.log(130)))  # pixels, as a square
            mover = Mover(
                cutout=cutout,
                start=rng.uniform((0.1, 0.1), (0.9, 0.9)) * (width, height),
                velocity=rng.normal(0, config.speed, 2) * (1, 0.6),
                scale=float(np.clip(wanted / side, 0.5, 2.0)),
                growth=float(rng.normal(0, config.growth)),
                mirrored=bool(rng.random() < 0.5),
            )
            movers.append(mover)
        return movers

    def _cutout(self, rng: np.random.Generator) -> Cutout:
        kind = self._things if self._things and rng.random() < 0.5 else self._shapes
        return kind[rng.integers(len(kind))]


def _numbered(labels: NDArray[np.uint8], classes: Sequence[int]) -> NDArray[np.uint8]:
    """(H, W) ids from 1 of the larger connected pieces of ``classes``; at most 99."""
    numbers = np.zeros_like(labels)
    for label in classes:
        _, pieces, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        for piece, area in enumerate(stats[1:, cv2.CC_STAT_AREA], 1):
            if area >= SMALLEST and numbers.max() < 99:
                numbers[pieces == piece] = numbers.max() + 1
    return numbers


def _shape(image: NDArray[np.uint8], rng: np.random.Generator) -> Cutout:
    """A piece of ``image`` with a smooth rim of any shape."""
    drawn = np.exp(rng.uniform(np.log(30), np.log(140), 2))
    height, width = (min(int(side), limit - 1) for side, limit in zip(drawn, image.shape, strict=False))
    top, left = rng.integers(image.shape[0] - height), rng.integers(image.shape[1] - width)
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    coarse = rng.normal(0, 1, (5, 5)).astype(np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    inside = noise * 0.35 > np.sqrt(rows**2 + columns**2) - 0.7
    inside[[0, -1]] = inside[:, [0, -1]] = False
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if len(stats) > 1 else 0
    piece = image[top : top + height, left : left + width].copy()
    return Cutout(piece, soft((pieces == largest) & inside), label=1, center=(0.5, 0.5))


def _recolored(cutout: Cutout, rng: np.random.Generator) -> Cutout:
    """Nearly the same thing."""
    gains = 1 + rng.uniform(0, 0.15) * rng.normal(0, 1, 3)
    return replace(cutout, image=np.clip(cutout.image * gains, 0, 255).astype(np.uint8))


def _bends(length: int, height: int, width: int, size: float, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Displacements (H, W, 2) that change slowly from frame to frame."""
    coarse = np.stack([smooth_noise(length, rng) for _ in range(4 * 5 * 2)], 1).reshape(length, 4, 5, 2)
    return [
        cv2.resize((size * frame).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for frame in coarse
    ]  # type: ignore[return-value]


def _bent(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], bend: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = ids.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x, y = columns + bend[..., 0], rows + bend[..., 1]
    seen: Any = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    moved: Any = cv2.remap(ids, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    return seen, moved
