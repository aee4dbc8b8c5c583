"""BiSeNet: a shallow path for detail beside a deep one for context; logits at an eighth of the input.

Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation", ECCV 2018, section 3, on
ResNet-18. Parameter names and the details that the paper leaves open are those of CoinCheung/BiSeNet, so that its
public weights load as they are: among them one normalized layer where the paper's fusion has two plain ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD
from vss_ray.networks.resnet import ResNet18


class BiSeNet(nn.Module):
    """Logits at stride 8.

    Args:
        num_classes: Channels of the logits.
        width: Channels of the fused features; those of all other layers are in proportion.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    classifier = "conv_out.conv_out.bias"
    training_only = ("conv_out16.", "conv_out32.")
    auxiliary_weights = (1.0, 1.0)  # equation 2

    def __init__(self, num_classes: int, width: int = 256) -> None:
        super().__init__()
        self.width = width
        self.cp = ContextPath(width // 2)
        self.sp = SpatialPath(width // 2)
        self.ffm = FeatureFusion(width)
        self.conv_out = Output(width, width, num_classes)
        self.conv_out16 = Output(width // 2, width // 4, num_classes)
        self.conv_out32 = Output(width // 2, width // 4, num_classes)

    @property
    def encoder(self) -> ResNet18:
        """The part that starts from ImageNet weights."""
        return self.cp.resnet

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.encoder.deepest

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, H/8, W/8) of ``x`` (N, 3, H, W; ImageNet-normalized, sides multiples of 32)."""
        eighth, _ = self.cp(x)
        return self.conv_out(self.ffm(self.sp(x), eighth))

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits at stride 8, and of the context path alone at strides 8 and 16."""
        eighth, sixteenth = self.cp(x)
        fused = self.ffm(self.sp(x), eighth)
        return self.conv_out(fused), self.conv_out16(eighth), self.conv_out32(sixteenth)

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The public state as it is."""
        return dict(state)


class ContextPath(nn.Module):
    """A residual network whose last two stages are weighed by their global averages (section 3.2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resnet = ResNet18(width // 2)
        *_, third, deepest = self.resnet.channels
        self.arm16 = AttentionRefinement(third, width)
        self.arm32 = AttentionRefinement(deepest, width)
        self.conv_head32 = Convolution(width, width)
        self.conv_head16 = Convolution(width, width)
        self.conv_avg = Convolution(deepest, width, kernel=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, width, ...) at strides 8 and 16 of ``x`` (N, 3, H, W)."""
        *_, third, deepest = self.resnet(x)
        context = self.arm32(deepest) + self.conv_avg(_average(deepest))
        sixteenth = self.conv_head32(_enlarge(context))
        return self.conv_head16(_enlarge(self.arm16(third) + sixteenth)), sixteenth


class SpatialPath(nn.Module):
    """Three convolutions of stride 2 (section 3.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = width // 2
        self.conv1 = Convolution(3, hidden, kernel=7, stride=2)
        self.conv2 = Convolution(hidden, hidden, stride=2)
        self.conv3 = Convolution(hidden, hidden, stride=2)
        self.conv_out = Convolution(hidden, width, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, width, H/8, W/8) of ``x`` (N, 3, H, W)."""
        return self.conv_out(self.conv3(self.conv2(self.conv1(x))))


class AttentionRefinement(nn.Module):
    """Features times weights from their global average (Figure 2b)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = Convolution(in_channels, out_channels)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, h, w) of ``x`` (N, in_channels, h, w)."""
        x = self.conv(x)
        return x * self.bn_atten(self.conv_atten(_average(x))).sigmoid()


class FeatureFusion(nn.Module):
    """Both paths side by side, and weights from their global average (Figure 2c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convblk = Convolution(width, width, kernel=1)
        self.conv = nn.Conv2d(width, width, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Features (N, width, h, w) of two halves (N, width/2, h, w)."""
        x = self.convblk(torch.cat([spatial, context], 1))
        return x + x * self.bn(self.conv(_average(x))).sigmoid()


class Output(nn.Module):
    """A 3x3 convolution and the classifier."""

    def __init__(self, in_channels: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.conv = Convolution(in_channels, hidden)
        self.conv_out = nn.Conv2d(hidden, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, h, w) of ``x`` (N, in_channels, h, w)."""
        return self.conv_out(self.conv(x))


class Convolution(nn.Module):
    """With batch normalization and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H/stride, W/stride) of ``x`` (N, in_channels, H, W)."""
        return F.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return x.mean((2, 3), keepdim=True)


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


build = BiSeNet
