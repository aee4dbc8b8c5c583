"""ResNet-50 as a feature pyramid: the encoder that RTS was published with.

He et al., CVPR 2016, Table 1, with the stride in the 3x3 convolution of a block. Parameter names are torchvision's.
"""

from __future__ import annotations

from torch import Tensor, nn

EXPANSION = 4


class ResNet50(nn.Module):
    """Pyramid of features at strides 4, 8, 16 and 32."""

    channels = (256, 512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _layer(64, 64, 3, stride=1)
        self.layer2 = _layer(256, 128, 4, stride=2)
        self.layer3 = _layer(512, 256, 6, stride=2)
        self.layer4 = _layer(1024, 512, 3, stride=2)

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """Four parts, each from the features of one stride to those of the next; the first takes the picture."""
        stem = nn.Sequential(self.conv1, self.bn1, self.relu, self.maxpool, self.layer1)
        return stem, self.layer2, self.layer3, self.layer4

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Torchvision's ImageNet state, less the layer that only classification needs."""
        return {k: v for k, v in state.items() if not k.startswith("fc.")}


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, and a shortcut (Figure 5, right)."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features of ``x`` (N, in_channels, H, W), halved where the stride is 2."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


def _layer(in_channels: int, width: int, count: int, *, stride: int) -> nn.Sequential:
    later = [Bottleneck(EXPANSION * width, width, 1) for _ in range(count - 1)]
    return nn.Sequential(Bottleneck(in_channels, width, stride), *later)
