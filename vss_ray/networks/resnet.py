"""ResNet-18 as a feature pyramid.

He et al., CVPR 2016, Table 1; dilated as in Yu et al., "Dilated Residual Networks", CVPR 2017. Parameter names are
torchvision's, so that its public ImageNet weights load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn


class ResNet18(nn.Module):
    """Pyramid of features at strides 4, 8, 16 and 32.

    Args:
        width: Channels of the first layer; every further layer has twice as many as the one before.
        dilated: Keep stride 8 in the last two layers and spread their filters instead: the same features, at more
            places.
    """

    channels = (64, 128, 256, 512)
    early_channels = 64
    early_stride = 4

    def __init__(self, width: int = 64, *, dilated: bool = False) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.early_channels = width
        stride, spread = (1, (1, 2, 4)) if dilated else (2, (1, 1, 1))
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _layer(width, width)
        self.layer2 = _layer(width, 2 * width, stride=2)
        self.layer3 = _layer(2 * width, 4 * width, stride=stride, dilations=spread[:2])
        self.layer4 = _layer(4 * width, 8 * width, stride=stride, dilations=spread[1:])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of ``x`` (N, 3, H, W; ImageNet-normalized) at strides 4, 8, 16, 32; dilated 4, 8, 8, 8."""
        pyramid = []
        for stage in self.stages:
            x = stage(x)
            pyramid.append(x)
        return pyramid

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """Four parts, each from the features of one stride to those of the next; the first takes the picture."""
        stem = nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool, self.layer1)
        return stem, self.layer2, self.layer3, self.layer4

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.layer4

    def early(self, x: Tensor) -> Tensor:
        """Features after the first layer."""
        return self.stages[0](x)

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Torchvision's ImageNet state, less the layer that only classification needs."""
        return {k: v for k, v in state.items() if not k.startswith("fc.")}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (Figure 5, left)."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, dilations[0], dilations[0], bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, dilations[1], dilations[1], bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features of ``x`` (N, in_channels, H, W), halved where the stride is 2."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


def _layer(
    in_channels: int, out_channels: int, *, stride: int = 1, dilations: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    # The convolution that takes the layer's input sees it as dense as the layer before made it.
    _, dilation = dilations
    return nn.Sequential(
        BasicBlock(in_channels, out_channels, stride, dilations),
        BasicBlock(out_channels, out_channels, 1, (dilation, dilation)),
    )


build = ResNet18
