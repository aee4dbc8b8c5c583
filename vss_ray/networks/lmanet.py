"""LMANet: features of a picture enriched with what a memory of other pictures holds (Paul et al., IROS 2021).

The single-picture network is cut in two (``networks.halves``): the front gives features at stride 8, the network of
this file reads the memory with them, mixes, and decodes with its own copy of the back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from vss_ray.networks.halves import Halves
from vss_ray.networks.local_attention import attend


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shape of the network, and what its memory was like in training."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    fusion: Literal["blend", "gated", "concat"] = "blend"
    """``blend``: values are components of the features, and the picture's move towards those that were read. ``gated``
    and ``concat``: as published for ERFNet, but added to the picture's features. Untrained, nothing changes them."""
    scores: Literal["distance", "product"] = "distance"
    """``product``: of query and key, as published. ``distance``: minus half the square of how far they are apart."""
    key_channels: int = 32
    """As published 16, which find thin things less well."""
    value_channels: int = 64
    kernel: Literal[1, 3] = 1
    """Side of the convolutions of keys, values and fusion. As published 3, which costs 28 ms more at 960x544."""
    window: int = 11
    """Side of the window of every memory frame, cells of 8 pixels, odd."""
    zero_padding: bool = False
    """See ``local_attention.attend``."""


class LmaNet(nn.Module):
    """Keys, values, fusion, and the decoder that follows them.

    Args:
        config: Shape.
        base: The single-picture network; its back is copied.
    """

    def __init__(self, config: Config, base: Halves) -> None:
        super().__init__()
        width, kernel = base.width, config.kernel
        self.config = config
        self.query_key = _convolution(width, config.key_channels, kernel)
        self.memory_key = _convolution(width, config.key_channels, kernel)
        self.query_key.load_state_dict(self.memory_key.state_dict())
        self.memory_value = _convolution(width, config.value_channels, kernel)
        if config.fusion == "blend":
            # Only what is made in one way can be told apart.
            self.query_value = None
            self.fusion = Blend(config.value_channels, width, kernel)
        else:
            self.query_value = _convolution(width, config.value_channels, kernel)
            fusion = GatedFusion if config.fusion == "gated" else ConcatFusion
            self.fusion = fusion(config.value_channels, width, kernel)
        self.decoder = copy.deepcopy(base.back)

    @torch.no_grad()
    def begin(self, features: Tensor) -> None:
        """Let keys be principal components of ``features`` (N, width, h, w), so that cells find others like them.

        With fusion ``blend`` values are components, too, of which there are more.
        """
        cells = features.float().permute(0, 2, 3, 1).flatten(0, 2)
        mean, variance = cells.mean(0), cells.var(0)
        # Networks differ in how large their features are; how sharp the attention is must not.
        size = (SPREAD / variance.sum()).sqrt()
        _, _, components = torch.linalg.svd(cells - mean, full_matrices=False)
        projections = [self.query_key, self.memory_key]
        if isinstance(self.fusion, Blend):
            projections.append(self.memory_value)
            matrix = components[: self.config.value_channels]
            self.fusion.expand.weight[:, : len(matrix), 0, 0] = matrix.T
            self.fusion.tolerance.fill_(TOLERANCE * variance.mean())
        center = self.config.kernel // 2
        for projection in projections:
            matrix = components[: projection.out_channels]
            if projection is not self.memory_value:
                matrix = size * matrix
            projection.weight.zero_()
            projection.weight[: len(matrix), :, center, center] = matrix
            projection.bias.copy_(-projection.weight[:, :, center, center] @ mean)  # type: ignore[union-attr]

    def query(self, features: Tensor) -> Tensor:
        """(B, h, w, K) of features (B, width, h, w): what a picture asks with."""
        return self.query_key(features).permute(0, 2, 3, 1)

    def memorize(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Keys (B, h, K, w) and values (B, h, w, V): what a picture leaves behind for others."""
        return self.memory_key(features).permute(0, 2, 1, 3), self.memory_value(features).permute(0, 2, 3, 1)

    def comparable(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (..., h, w, K) and keys (..., h, K, w), float32, so that their products are the scores.

        |q - k|^2 / 2 = |q|^2 / 2 - qk + |k|^2 / 2, of which the first term is the same for all that a cell looks at.
        """
        query, key = query.float(), key.float()
        if self.config.scores == "product":
            return query, key
        square = key.square().sum(-2, keepdim=True)
        return torch.cat([query, torch.ones_like(query[..., :1])], -1), torch.cat([key, -square / 2], -2)

    def fuse(self, features: Tensor, read: Tensor) -> Tensor:
        """Features (B, width, h, w) of a picture, and what it read (B, h, w, V), mixed: (B, width, h, w)."""
        own = self.memory_value if self.query_value is None else self.query_value
        return self.fusion(features, own(features), read.permute(0, 3, 1, 2))

    def forward(
        self, features: Tensor, memory: Tensor, others: Sequence[Tensor], attached: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Training: logits of pictures with memories of one length, and what they read of ``attached``.

        Args:
            features: (B, width, h, w).
            memory: (B, S, width, h, w), features of the memory frames.
            others: What else the decoder takes of the pictures, see ``Halves.front``.
            attached: (B, S, h, w, A), read with the same weights as the values.
        """
        keys, values = (each.unflatten(0, memory.shape[:2]) for each in self.memorize(memory.flatten(0, 1)))
        queries, keys = self.comparable(self.query(features), keys)
        values = torch.cat([values.float(), attached], -1)
        read = attend(queries, keys, values, self.config.window, zero_padding=self.config.zero_padding)
        own, found = read.split([self.config.value_channels, attached.shape[-1]], -1)
        return self.decoder(self.fuse(features, own), *others), found


START = 1.0
"""The logit of a gate before it has learned anything: 0.73 of what was read."""
SPREAD = 60.0
"""Variance of keys, were they all components: what cells of no relation differ by in the softmax, in nats."""
TOLERANCE = 1.7
"""Mean square of what features and those that were read differ by, at which these count exp(-1) times as much; relative
to the variance of the features."""


class Blend(nn.Module):
    """The picture's features, moved towards what was read as far as gates say that see both.

    After the authors' fusion for PSPNet (``sigmoid-down1``), whose values are features, too; its two gates here add up
    to one, so that the result stays among features that the decoder knows. What was read counts less the more it
    differs from what is there: where a cell finds nothing like itself, it reads something else.
    """

    def __init__(self, values: int, width: int, kernel: int) -> None:
        super().__init__()
        self.query = _convolution(values, values // 2, kernel, bias=False)
        self.memory = _convolution(values, values // 2, kernel, bias=False)
        self.norm = nn.BatchNorm2d(values // 2, eps=1e-3)
        self.gate = _convolution(values // 2, width, kernel)
        self.expand = _convolution(values, width, 1, bias=False)
        self.tolerance = nn.Parameter(torch.tensor([TOLERANCE]))
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, START)  # type: ignore[arg-type]

    def forward(self, features: Tensor, query: Tensor, memory: Tensor) -> Tensor:
        """(B, width, h, w) of features (B, width, h, w) and values (B, V, h, w) of picture and memory."""
        gate = self.gate(self.norm(self.query(query) + self.memory(memory)).relu()).sigmoid()
        new = self.expand(memory - query)
        trust = (-new.square().mean(1, keepdim=True) / self.tolerance.abs()).exp()
        return features + gate * trust * new


class GatedFusion(nn.Module):
    """Equation 4.6 (``sigmoid-do1`` of the authors' code): both values, each gated by both."""

    def __init__(self, values: int, width: int, kernel: int) -> None:
        super().__init__()
        self.prepare_query, self.prepare_memory = _prepare(values), _prepare(values)
        self.query_gate = _convolution(2 * values, width, kernel)
        self.memory_gate = _convolution(2 * values, width, kernel)
        self.query = _convolution(values, width, kernel, bias=False)
        self.memory = _convolution(values, width, kernel, bias=False)
        self.mix = _Mix(width)

    def forward(self, features: Tensor, query: Tensor, memory: Tensor) -> Tensor:
        """(B, width, h, w) of features (B, width, h, w) and values (B, V, h, w) of picture and memory."""
        query, memory = self.prepare_query(query), self.prepare_memory(memory)
        both = torch.cat([query, memory], 1)
        own = self.query(query) * self.query_gate(both).sigmoid()
        return self.mix(features, own + self.memory(memory) * self.memory_gate(both).sigmoid())


class ConcatFusion(nn.Module):
    """Both values side by side, without gates: the paper's ablation."""

    def __init__(self, values: int, width: int, kernel: int) -> None:
        super().__init__()
        self.prepare_query, self.prepare_memory = _prepare(values), _prepare(values)
        self.join = _convolution(2 * values, width, kernel, bias=False)
        self.mix = _Mix(width)

    def forward(self, features: Tensor, query: Tensor, memory: Tensor) -> Tensor:
        """See ``GatedFusion``."""
        both = torch.cat([self.prepare_query(query), self.prepare_memory(memory)], 1)
        return self.mix(features, self.join(both))


class _Mix(nn.Module):
    """Normalize what is new and add it to what was there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, eps=1e-3)
        nn.init.zeros_(self.norm.weight)

    def forward(self, features: Tensor, new: Tensor) -> Tensor:
        return (features + self.norm(new)).relu()


def _convolution(in_channels: int, out_channels: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias)


def _prepare(values: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(values, eps=1e-3), nn.Dropout2d(0.3), nn.ReLU())
