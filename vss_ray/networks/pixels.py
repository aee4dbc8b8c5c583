"""Pixels as networks want them, and what they answer as the rest of the package wants it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (123.675, 116.28, 103.53)
"""RGB, of pixels from 0 to 255."""
IMAGENET_STD = (58.395, 57.12, 57.375)


class Probabilities(nn.Module):
    """A network with its preprocessing and its softmax, so that engines have nothing left to convert.

    Args:
        network: Logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w).
        mean: RGB, of pixels from 0 to 255.
        std: RGB, of pixels from 0 to 255.
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network, self.normalized = network, Normalized(mean, std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities (B, h/s, w/s, C) float16 of ``pixels`` (B, h, w, 3) uint8."""
        return probabilities(self.network(self.normalized(pixels)))


class Normalized(nn.Module):
    """``normalize`` with numbers that live where the module does: to send them along would make a GPU wait."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """See ``normalize``."""
        return normalize(pixels, self.mean, self.std)  # type: ignore[arg-type]


def probabilities(logits: Tensor) -> Tensor:
    """(B, h, w, C) float16 of ``logits`` (B, C, h, w)."""
    return logits.float().softmax(1).permute(0, 2, 3, 1).half()


def normalize(
    pixels: Tensor, mean: Tensor | Sequence[float] = IMAGENET_MEAN, std: Tensor | Sequence[float] = IMAGENET_STD
) -> Tensor:
    """(B, 3, h, w) float32, channels last in memory, of ``pixels`` (B, h, w, 3) uint8."""
    shift, scale = (torch.as_tensor(values, device=pixels.device)[:, None, None] for values in (mean, std))
    return (pixels.permute(0, 3, 1, 2).float() - shift) / scale
