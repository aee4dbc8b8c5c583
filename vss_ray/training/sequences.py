"""Batches of short sequences to train on: which source, how far apart, and seen how, is all drawn from the seed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vss_ray.networks.pixels import normalize
from vss_ray.training import augment
from vss_ray.training.moving_stills import Stills
from vss_ray.training.rendered import Scenes
from vss_ray.training.unlabeled import Videos

__all__ = ["Config", "Scenes", "Source", "Stills", "Videos", "batches"]

T = TypeVar("T")


class Source(Protocol):
    """Where sequences come from. ``sample`` is called by several threads at once."""

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Consecutive frames and their labels.

        Args:
            length: Frames.
            step: How far apart they are, in frames of 15 Hz.
            rng: Decides which.

        Returns:
            Pictures (length, H, W, 3) RGB and labels (length, H, W), 255 is void.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Config:
    """How sequences are taken and seen."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    # A network's input is enlarged 1.5 times when it is in use. Classes: pole, sign, pedestrian, bicyclist.
    augment: augment.Config = field(
        default_factory=lambda: augment.Config(crop=352, scale=(1.0, 2.0), rare_classes=(2, 6, 9, 10))
    )
    """The same view for all frames of a sequence."""
    distances: tuple[int, ...] = (1,)
    """Frames of 15 Hz from one picture of a sequence to the next; one of them is drawn for every sequence."""
    reverse: bool = True
    """Half of the sequences run backwards."""


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
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch; they depend on ``seed`` and ``epoch`` alone. Made ahead, in threads.

    Args:
        sources: Each with its share of the sequences; shares need not add to 1.
        config: How they are seen.
        length: Frames of a sequence, T.
        batch: Sequences of a batch, B.
        steps: Batches.
        seed: Of the training.
        epoch: Number of the epoch.
        device: Where the tensors are wanted.

    Yields:
        Pictures (B, T, 3, crop, crop) float32, ImageNet-normalized, and labels (B, T, crop, crop) int64.
    """
    shares = np.array([share for _, share in sources], float)
    shares /= shares.sum()

    def sequence(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng([seed, epoch, number])
        source = sources[rng.choice(len(sources), p=shares)][0]
        return _view(*source.sample(length, int(rng.choice(config.distances)), rng), config, rng)

    made = made_ahead(sequence, steps * batch, ahead=2 * batch, threads=num_threads(device))
    for _ in range(steps):
        images, labels = zip(*(next(made) for _ in range(batch)), strict=True)
        pixels = torch.from_numpy(np.concatenate(images)).to(device)
        ids = torch.from_numpy(np.stack(labels)).to(device)
        yield normalize(pixels).unflatten(0, (batch, length)), ids.long()


def _view(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], config: Config, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    view = augment.draw(labels[len(labels) // 2], config.augment, rng)
    order = -1 if config.reverse and rng.random() < 0.5 else 1
    frames = [view.take(image, ids) for image, ids in zip(images[::order], labels[::order], strict=True)]
    return np.stack([image for image, _ in frames]), np.stack([ids for _, ids in frames])


def num_threads(device: torch.device | str) -> int:
    """One beside a training on the CPU, which wants the cores itself."""
    return 1 if torch.device(device).type == "cpu" else max(1, (os.cpu_count() or 2) // 2)


def made_ahead(make: Callable[[int], T], count: int, *, ahead: int, threads: int) -> Iterator[T]:
    """``make(0)``, ``make(1)``, ... in order, up to ``ahead`` of them made before they are asked for."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for number in range(count):
                waiting.append(pool.submit(make, number))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
