"""From an encoded mask back to pixels: the decoder of LWL, with fewer convolutions where the configuration says so.

Bhat et al., ECCV 2020, supplement section 2, after Robinson et al., "Learning Fast and Robust Target Models for Video
Object Segmentation", CVPR 2020. Without batch normalization: every object is decoded as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.rts_features import enlarged


class Decoder(nn.Module):
    """Logits at half of the crop's size.

    Args:
        channels: Of the encoder's features at strides 4, 8, ...
        widths: Of the decoder's levels at the same strides.
        encoding: Channels of an encoded mask.
        depth: Convolutions that mix a level's features with the encoding, before the one that narrows them: 2 as
            published, 0 in the reduced network, which also refines once where the published one does twice.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int], encoding: int, depth: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            Level(count, width, encoding, depth) for count, width in zip(channels, widths, strict=True)
        )
        self.narrow = nn.ModuleList(nn.Conv2d(deep, width, 1) for width, deep in pairwise(widths))
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)

    def reduce(self, pyramid: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """What all objects of a crop share: features (B, width, H/s, W/s) of the encoder's at strides 4, 8, ..."""
        return tuple(level.reduce(features) for level, features in zip(self.levels, pyramid, strict=True))  # type: ignore[operator]

    def forward(self, reduced: Sequence[Tensor], encoding: Tensor) -> Tensor:
        """Logits (B, 1, H/2, W/2).

        Args:
            reduced: See ``reduce``; B or 1 of them.
            encoding: (B, D, h, w).
        """
        deep: Tensor | None = None
        for number in reversed(range(len(self.levels))):
            deep = self.levels[number](reduced[number], encoding, deep)
            if number:
                deep = self.narrow[number - 1](deep).relu()
        assert deep is not None
        return F.pixel_shuffle(self.head(deep), 2)


class Level(nn.Module):
    """One stride: features and encoding joined (TSE), refined (RRB), merged with what is deeper (CAB), refined."""

    def __init__(self, channels: int, width: int, encoding: int, depth: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1))
        both = width + encoding
        mixing = [layer for _ in range(depth) for layer in (nn.Conv2d(both, both, 3, padding=1), nn.ReLU())]
        self.mix = nn.Sequential(*mixing, nn.Conv2d(both, width, 3, padding=1), nn.ReLU())
        self.refine = Refinement(width) if depth else nn.Identity()
        self.attend = Attention(width)
        self.refine_again = Refinement(width)

    def forward(self, reduced: Tensor, encoding: Tensor, deep: Tensor | None) -> Tensor:
        """(B, width, h, w) of reduced (B or 1, width, h, w), encoding (B, D, ...), the level below (B, width, ...)."""
        own = reduced.expand(len(encoding), -1, -1, -1)
        own = self.refine(self.mix(torch.cat([own, enlarged(encoding, own)], 1)))
        return self.refine_again(self.attend(own, deep))


class Refinement(nn.Module):
    """Residual refinement."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, width, 1)
        self.change = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) of the same."""
        x = self.project(x)
        return (x + self.change(x)).relu()


class Attention(nn.Module):
    """The channels of a level weighed by its mean and that of what is deeper, which is then added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(2 * width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1), nn.Sigmoid())

    def forward(self, shallow: Tensor, deep: Tensor | None) -> Tensor:
        """(B, width, h, w) of the same and (B, width, h', w'); the deepest level has its own mean below it."""
        mean = shallow.mean((2, 3), keepdim=True)
        if deep is None:
            return shallow * self.gate(torch.cat([mean, mean], 1)) + mean
        gate = self.gate(torch.cat([mean, deep.mean((2, 3), keepdim=True)], 1))
        return shallow * gate + enlarged(deep, shallow)
