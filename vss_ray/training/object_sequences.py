"""Batches of short sequences in which one object is followed: crops around it, and where it is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vss_ray.networks.pixels import normalize
from vss_ray.training.sequences import made_ahead, num_threads

SMALLEST = 300
"""Pixels of an object that is worth following."""
TRIES = 20
"""Sequences that are looked at for one with an object."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How objects are seen."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    height: int = 192
    width: int = 320
    """Of the crops, pixels; multiples of 16."""
    distances: tuple[int, ...] = (1, 2, 3, 5, 8)
    """Frames of 15 Hz from one picture to the next; one of them is drawn for every sequence."""
    search: float = 4.0
    """Root of the area of a crop relative to that of the object's box."""
    shift: tuple[float, float] = (0.4, 1.2)
    """Largest distance of the crop's middle from the object's, in sizes of the object: first frame, later ones."""
    zoom: tuple[float, float] = (0.25, 0.4)
    """Standard deviation of the logarithm of the crop's size: first frame, later ones."""
    rotation: float = 12.0
    """Largest turn of a later crop, degrees."""
    brightness: float = 0.2
    gray: float = 0.05
    """Share of sequences without colors."""


class Source(Protocol):
    """Where sequences come from. ``sample`` is called by several threads at once."""

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray]:
        """Pictures (length, H, W, 3) RGB and ids (length, H, W) of things; 0 is none. See ``sequences.Source``."""
        ...


class Batch(NamedTuple):
    """B sequences of T frames; in the first frame the object is known."""

    images: Tensor
    """(B, T, 3, h, w) float32, normalized."""
    masks: Tensor
    """(B, T, 1, h, w) float32, 0 or 1."""
    boxes: Tensor
    """(B, T, 4) float32 left, top, right, bottom of the mask in pixels; NaN where there is none."""


def batches(
    sources: Sequence[tuple[Source, float]],
    config: Config,
    *,
    length: int,
    batch: int,
    steps: int,
    seed: int,
    epoch: int,
    device: torch.device | str,
) -> Iterator[Batch]:
    """The batches of an epoch; they depend on ``seed`` and ``epoch`` alone. Arguments as ``sequences.batches``."""
    shares = np.array([share for _, share in sources], float)
    shares /= shares.sum()

    def sequence(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng([seed, epoch, number])
        source = sources[rng.choice(len(sources), p=shares)][0]
        return follow(source, length, config, rng)

    made = made_ahead(sequence, steps * batch, ahead=2 * batch, threads=num_threads(device))
    for _ in range(steps):
        images, masks = zip(*(next(made) for _ in range(batch)), strict=True)
        boxes = torch.tensor(np.stack([[tight_box(mask) for mask in each] for each in masks]), dtype=torch.float32)
        pixels = torch.from_numpy(np.concatenate(images)).to(device)
        inside = torch.from_numpy(np.stack(masks)).to(device)
        yield Batch(normalize(pixels).unflatten(0, (batch, length)), inside[:, :, None].float(), boxes.to(device))


def follow(
    source: Source, length: int, config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crops (length, h, w, 3) around an object of a sequence and its masks (length, h, w).

    Raises:
        ValueError: The source has no objects that are large enough.
    """
    for _ in range(TRIES):
        images, ids = source.sample(length, int(rng.choice(config.distances)), rng)
        if rng.random() < 0.5:
            images, ids = images[::-1], ids[::-1]
        found, areas = np.unique(ids[0], return_counts=True)
        candidates = found[(found > 0) & (areas >= SMALLEST)]
        if len(candidates):
            crops, masks = _crops(images, ids == rng.choice(candidates), config, rng)
            if masks[0].any():
                return crops, masks
    raise ValueError(f"no object of {SMALLEST} pixels in {TRIES} sequences of {type(source).__name__}")


def tight_box(mask: NDArray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what ``mask`` (h, w) holds, pixel edges; NaN where it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.nan, np.nan, np.nan, np.nan
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _crops(
    images: NDArray[np.uint8], masks: NDArray[np.bool_], config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    mirrored = rng.random() < 0.5
    colorless = rng.random() < config.gray
    size, crops, inside = (config.width, config.height), [], []
    box = tight_box(masks[0])
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        seen = tight_box(mask)
        box = box if np.isnan(seen[0]) else seen  # hidden: where it was
        matrix = _matrix(box, config, number, mirrored, rng)
        crop: Any = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        crop = np.clip(crop * (1 + config.brightness * rng.uniform(-1, 1)), 0, 255).astype(np.uint8)
        if colorless:
            crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
        crops.append(crop)
        inside.append(cv2.warpAffine(mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST))
    return np.stack(crops), np.stack(inside)


def _matrix(
    box: tuple[float, float, float, float], config: Config, number: int, mirrored: bool, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(2, 3) from pixels of the picture to pixels of the crop."""
    later = int(number > 0)
    left, top, right, bottom = box
    side = np.sqrt((right - left) * (bottom - top))
    center = np.array([left + right, top + bottom]) / 2 + rng.uniform(-1, 1, 2) * config.shift[later] * side
    scale = np.sqrt(config.height * config.width) / (config.search * side) * np.exp(rng.normal(0, config.zoom[later]))
    angle = np.deg2rad(config.rotation) * rng.uniform(-1, 1) * later
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn[0] *= -1
    return np.column_stack([turn, np.array([config.width, config.height]) / 2 - turn @ center])
