"""A network on several enlargements and mirror images of a picture: slower, and better than any one of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 32
"""Sides of every view are multiples of it."""
SMALLEST = 1e-7
"""Probability whose logarithm is still finite."""


class Views(nn.Module):
    """Logarithm of the mean of the probabilities of all views; softmax gives that mean.

    Args:
        network: Logits (B, C, h/s, w/s) of (B, 3, h, w).
        scales: Sizes of the views, relative to the picture's.
        mirror: See every view from both sides.
    """

    def __init__(self, network: nn.Module, scales: Sequence[float], mirror: bool) -> None:
        super().__init__()
        self.network, self.scales, self.mirror = network, tuple(scales), mirror

    @property
    def deepest(self) -> nn.Module | None:
        """The network's own, if it has one."""
        return getattr(self.network, "deepest", None)

    @property
    def plain_view(self) -> int:
        """Which of the network's runs sees the picture as it is, or nearest to its size: the one to embed."""
        nearest = min(range(len(self.scales)), key=lambda i: abs(self.scales[i] - 1))
        return nearest * (2 if self.mirror else 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h/s, w/s) of ``x`` (B, 3, h, w), s the stride of the network."""
        height, width = x.shape[-2:]
        probabilities = []
        stride = 0
        for scale in self.scales:
            size = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (height, width)]
            view = x
            if size != [height, width]:
                view = F.interpolate(x, size, mode="bilinear", align_corners=False)
            probabilities.append(self.network(view).float().softmax(1))
            stride = stride or round(size[0] / probabilities[0].shape[2])
            if self.mirror:
                probabilities.append(self.network(view.flip(3)).float().softmax(1).flip(3))
        grid = (height // stride, width // stride)
        alike = [F.interpolate(part, grid, mode="bilinear", align_corners=False) for part in probabilities]
        return torch.stack(alike).mean(0).clamp_min(SMALLEST).log()
