"""MobileNetV2 as a feature pyramid.

Sandler et al., CVPR 2018, Table 2, without the last 1x1 convolution and the classifier. Parameter names are
torchvision's (``features.N...``), so that its public ImageNet weights load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

# t (expansion), c (channels), n (repeats), s (stride of the first): Table 2 of the paper.
BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
STAGES = (slice(0, 4), slice(4, 7), slice(7, 14), slice(14, 18))
"""Parts of ``features`` that end at strides 4, 8, 16 and 32."""


class MobileNetV2(nn.Module):
    """Pyramid of features at strides 4, 8, 16 and 32."""

    channels = (24, 32, 96, 320)
    early_channels = 16
    early_stride = 2

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 32, kernel=3, stride=2)]
        channels = 32
        for expansion, out_channels, repeats, stride in BLOCKS:
            for i in range(repeats):
                layers.append(InvertedResidual(channels, out_channels, stride if i == 0 else 1, expansion))
                channels = out_channels
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of ``x`` (N, 3, H, W; ImageNet-normalized) at strides 4, 8, 16, 32."""
        pyramid = []
        for stage in self.stages:
            x = stage(x)
            pyramid.append(x)
        return pyramid

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """Four parts, each from the features of one stride to those of the next; the first takes the picture."""
        return tuple(self.features[part] for part in STAGES)

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.features[-1]

    def early(self, x: Tensor) -> Tensor:
        """Features after the first block: a tenth of the encoder's time."""
        return self.features[:2](x)

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Torchvision's ImageNet state, less the layers that only classification needs."""
        return {k: v for k, v in state.items() if not k.startswith(("features.18.", "classifier."))}


class InvertedResidual(nn.Module):
    """Expand (1x1), filter per channel (3x3), project (1x1); shortcut where shapes agree (section 3.3)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(_convolution(in_channels, hidden, kernel=1))
        layers += [
            _convolution(hidden, hidden, kernel=3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Features of ``x`` (N, in_channels, H, W), halved where the stride is 2."""
        return x + self.conv(x) if self.is_residual else self.conv(x)


def _convolution(in_channels: int, out_channels: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


build = MobileNetV2
