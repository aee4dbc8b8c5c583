"""A network that knows colors, and nothing of what training gives: objects are told by what they are painted with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.rts import Config, Features, Rts
from vss_ray.networks.rts_features import instance_norm
from vss_ray.tracking.network import Network

PAINTS = ((220, 40, 40), (40, 200, 60), (60, 80, 230), (230, 210, 50), (128, 128, 128))
"""Red, green, blue, yellow, and the gray of walls and ground."""
RED, GREEN, BLUE, YELLOW, GRAY = range(5)
HEIGHT, WIDTH = 96, 160


class ColorLabels(nn.Module):
    """A mask is encoded as itself, and all of it counts."""

    def forward(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        encoded = F.avg_pool2d(masks, 8).expand(-1, 2, -1, -1)
        return encoded, torch.ones_like(encoded)


class ColorRts(Rts):
    """Features are how near the paint of a cell is to each of ``PAINTS``."""

    def __init__(self) -> None:
        super().__init__(Config(segmentation_width=8, instance_width=8, encoding=2))
        self.label_encoder = ColorLabels()
        self.initializer = nn.Identity()  # type: ignore[assignment]
        self.looks = 0

    def features(self, pictures: Tensor) -> Features:
        self.looks += 1
        mean, std = (torch.tensor(each)[:, None, None] for each in (self.mean, self.std))
        distance = (pictures * std + mean)[:, None] - torch.tensor(PAINTS).float()[:, :, None, None]
        paints = torch.exp(-distance.square().sum(2) / 60**2)
        paints = torch.cat([paints, torch.zeros(len(paints), 3, *paints.shape[-2:])], 1)
        mask, instance = instance_norm(F.avg_pool2d(paints, 8)), instance_norm(F.avg_pool2d(paints, 16))
        return Features(mask, instance, (torch.zeros(len(paints), 1, 1, 1),))

    def decode(self, encoding: Tensor, scores: Tensor | None, reduced: Sequence[Tensor]) -> Tensor:
        logits = 16 * (encoding.mean(1, keepdim=True) - 0.4)
        return F.interpolate(logits, scale_factor=4)


def network() -> Network:
    """Ready to run."""
    torch.manual_seed(0)

    def as_it_is(module: nn.Module) -> Callable[..., tuple[Tensor, ...]]:
        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            outputs = module(*inputs)
            return outputs if isinstance(outputs, tuple) else (outputs,)

        return run

    return Network(ColorRts().eval().requires_grad_(False), as_it_is)


def scene(*things: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Gray ground with squares on it: (paint, middle y, middle x, side); in multiples of 8 pixels, as cells are."""
    frame = np.full((HEIGHT, WIDTH, 3), PAINTS[GRAY], np.uint8)
    for paint, y, x, side in things:
        where = square(y, x, side)
        frame[where] = PAINTS[paint]
    noise = np.random.default_rng(sum(y + x for _, y, x, _ in things)).integers(-6, 7, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def square(y: int, x: int, side: int = 32) -> NDArray[np.bool_]:
    """Where a square is seen."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    half = side // 2
    mask[max(0, y - half) : max(0, y + half), max(0, x - half) : max(0, x + half)] = True
    return mask


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))
