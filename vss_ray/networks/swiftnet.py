"""SwiftNet: an encoder, a spatial pyramid, a lateral decoder; scores at a quarter of the input.

Orsic et al., "In Defense of Pre-trained ImageNet Architectures for Real-time Semantic Segmentation of Road-driving
Images", CVPR 2019, section 3 (single scale). Any encoder that returns a pyramid at strides 4, 8, 16, 32 fits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD

PYRAMID_GRIDS = (8, 4, 2, 1)  # cells along the short side


class SwiftNet(nn.Module):
    """Logits at stride 4.

    Args:
        encoder: Returns features at strides 4, 8, 16, 32 and names their widths in ``channels``; has the parts between
            them in ``stages``.
        num_classes: Channels of the logits.
        width: Channels of the decoder.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    joining = ("upsamples.1.", "upsamples.2.", "head.")
    """Prefixes of the parameters that ``join`` uses."""
    classifier = "head.bias"
    training_only = ("auxiliary.",)
    auxiliary_weights = (0.4,)

    def __init__(self, encoder: nn.Module, num_classes: int, width: int = 128) -> None:
        super().__init__()
        self.width = width
        self.encoder = encoder
        channels: tuple[int, ...] = encoder.channels  # type: ignore[assignment]
        *lateral, deepest = channels
        self.pyramid = SpatialPyramid(deepest, width)
        self.upsamples = nn.ModuleList(LateralUpsample(count, width) for count in reversed(lateral))
        self.head = nn.Conv2d(width, num_classes, 1)
        self.auxiliary = nn.Conv2d(width, num_classes, 1)  # on stride 8; training only

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, H/4, W/4) of ``x`` (N, 3, H, W; ImageNet-normalized, sides multiples of 32)."""
        return self.head(self.decode(self.encoder(x))[-1])

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at stride 4 and, for deep supervision, at stride 8."""
        *_, eighth, quarter = self.decode(self.encoder(x))
        return self.head(quarter), self.auxiliary(eighth)

    @property
    def deepest(self) -> nn.Module:
        """The encoder's own; see ``vss_ray.networks``."""
        return self.encoder.deepest  # type: ignore[return-value]

    def shallow(self, x: Tensor) -> tuple[Tensor, ...]:
        """What every picture has to compute for itself: encoder features at strides 4 and 8."""
        first, second, *_ = self._stages()
        fourth = first(x)
        return fourth, second(fourth)

    def deep(self, shallow: tuple[Tensor, ...]) -> Tensor:
        """What may come from another picture: decoder features (N, width, H/16, W/16), context included."""
        _, eighth = shallow
        *_, third, last = self._stages()
        sixteenth = third(eighth)
        return self.upsamples[0](self.pyramid(last(sixteenth)), sixteenth)

    def join(self, shallow: tuple[Tensor, ...], deep: Tensor) -> Tensor:
        """Logits from both: ``join(s, deep(s))`` with ``s = shallow(x)`` is ``forward(x)``."""
        fourth, eighth = shallow
        return self.head(self.upsamples[2](self.upsamples[1](deep, eighth), fourth))

    def _stages(self) -> tuple[nn.Module, ...]:
        return self.encoder.stages  # type: ignore[return-value]

    def decode(self, features: list[Tensor]) -> list[Tensor]:
        """Decoder features at strides 32, 16, 8, 4 from the encoder's at strides 4, 8, 16, 32."""
        *laterals, deepest = features
        decoded = [self.pyramid(deepest)]
        for upsample, lateral in zip(self.upsamples, reversed(laterals), strict=True):
            decoded.append(upsample(decoded[-1], lateral))
        return decoded


class SpatialPyramid(nn.Module):
    """Average pooling to coarse grids, upsampled and fused: context over the whole picture (section 3.2)."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        level = width // len(PYRAMID_GRIDS)
        self.reduce = _convolution(in_channels, width, kernel=1)
        self.levels = nn.ModuleList(_convolution(width, level, kernel=1) for _ in PYRAMID_GRIDS)
        self.fuse = _convolution(width + level * len(PYRAMID_GRIDS), width, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, in_channels, h, w) with its context, (N, width, h, w)."""
        height, width = x.shape[-2:]
        x = self.reduce(x)
        parts = [x]
        for cells, level in zip(PYRAMID_GRIDS, self.levels, strict=True):
            grid = (min(cells, height), max(1, min(width, round(cells * width / height))))
            pooled = level(F.adaptive_avg_pool2d(x, grid))
            parts.append(F.interpolate(pooled, (height, width), mode="bilinear", align_corners=False))
        return self.fuse(torch.cat(parts, 1))


class LateralUpsample(nn.Module):
    """Enlarge twice, add the projected lateral features, blend with a 3x3 convolution (section 3.3)."""

    def __init__(self, lateral_channels: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.Sequential(nn.Conv2d(lateral_channels, width, 1, bias=False), nn.BatchNorm2d(width))
        self.blend = _convolution(width, width, kernel=3)

    def forward(self, x: Tensor, lateral: Tensor) -> Tensor:
        """``x`` (N, width, h, w) at the size of ``lateral`` (N, lateral_channels, 2h, 2w)."""
        x = F.interpolate(x, lateral.shape[-2:], mode="bilinear", align_corners=False)
        return self.blend(x + self.lateral(lateral))


def _convolution(in_channels: int, out_channels: int, *, kernel: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
