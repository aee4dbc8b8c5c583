"""ERFNet: residual blocks of one-dimensional filters; logits at the size of the picture.

Romera et al., "ERFNet: Efficient Residual Factorized ConvNet for Real-time Semantic Segmentation", IEEE Transactions
on Intelligent Transportation Systems 2018, section III and Table I. Parameter names are those of
Eromera/erfnet_pytorch, so that its public weights load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-3  # of batch normalization, as published
DILATIONS = (2, 4, 8, 16) * 2


class ERFNet(nn.Module):
    """Logits at stride 1. Sixteen times the scores of a network at stride 4: mind the memory of long clips.

    Args:
        num_classes: Channels of the logits.
        width: Channels at stride 2; there are four times as many at stride 4 and eight times as many at stride 8.
    """

    mean, std = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    classifier = "decoder.output_conv.bias"
    training_only = ("encoder.output_conv.",)
    # The paper trains the encoder under a head of its own before it adds the decoder; here both learn at once.
    auxiliary_weights = (0.4,)

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.width = width
        self.encoder = Encoder(num_classes, width)
        self.decoder = Decoder(num_classes, width)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of ``x`` (N, 3, H, W; RGB from 0 to 1, sides multiples of 8)."""
        return self.decoder(self.encoder(x))

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at strides 1 and 8."""
        features = self.encoder(x)
        return self.decoder(features), self.encoder.output_conv(features)

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.encoder.layers[-1]

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The public state as it is."""
        return dict(state)


class Encoder(nn.Module):
    """Features at stride 8, and a head on them."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.initial_block = Downsampler(3, width)
        self.layers = nn.ModuleList([Downsampler(width, 4 * width)])
        self.layers += [NonBottleneck1d(4 * width, dropout=0.03) for _ in range(5)]
        self.layers += [Downsampler(4 * width, 8 * width)]
        self.layers += [NonBottleneck1d(8 * width, dropout=0.3, dilation=dilation) for dilation in DILATIONS]
        self.output_conv = nn.Conv2d(8 * width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, 8 width, H/8, W/8) of ``x`` (N, 3, H, W)."""
        x = self.initial_block(x)
        for layer in self.layers:
            x = layer(x)
        return x


class Decoder(nn.Module):
    """Three enlargements by transposed convolutions, the last of which classifies."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for in_channels, out_channels in ((8 * width, 4 * width), (4 * width, width)):
            self.layers.append(Upsampler(in_channels, out_channels))
            self.layers += [NonBottleneck1d(out_channels) for _ in range(2)]
        self.output_conv = nn.ConvTranspose2d(width, num_classes, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, 8h, 8w) of features ``x`` (N, 8 width, h, w)."""
        for layer in self.layers:
            x = layer(x)
        return self.output_conv(x)


class Downsampler(nn.Module):
    """A 3x3 convolution of stride 2 beside a maximum; the maximum keeps the channels that came in."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels - in_channels, 3, 2, 1)
        self.pool = nn.MaxPool2d(2)
        self.bn = nn.BatchNorm2d(out_channels, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, H/2, W/2) of ``x`` (N, in_channels, H, W)."""
        return F.relu(self.bn(torch.cat([self.conv(x), self.pool(x)], 1)))


class Upsampler(nn.Module):
    """A transposed 3x3 convolution of stride 2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, padding=1, output_padding=1)
        self.bn = nn.BatchNorm2d(out_channels, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, out_channels, 2H, 2W) of ``x`` (N, in_channels, H, W)."""
        return F.relu(self.bn(self.conv(x)))


class NonBottleneck1d(nn.Module):
    """Two 3x3 convolutions, each as a column and a row, and a shortcut (Figure 2c); the second pair is dilated."""

    def __init__(self, channels: int, *, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, EPSILON)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation))
        self.bn2 = nn.BatchNorm2d(channels, EPSILON)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the shape of ``x`` (N, channels, H, W)."""
        y = F.relu(self.bn1(self.conv1x3_1(F.relu(self.conv3x1_1(x)))))
        y = self.bn2(self.conv1x3_2(F.relu(self.conv3x1_2(y))))
        return F.relu(self.dropout(y) + x)


build = ERFNet
