"""DCFM: a picture's own early features joined with the deep features of another picture of the same scene.

Zheng, Yang, Huang, "Deep Common Feature Mining for Efficient Video Semantic Segmentation", IEEE TCSVT 2024, section 3.
The common feature is the decoder's at stride 4, the independent one the encoder's first block; both are unit vectors
at every position. ``Dcfm`` says what is computed. ``KeyGraph`` and its companions compute the same in evaluation, with
what a keyframe alone decides worked out once on the keyframe.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.errors import ModelError
from vss_ray.networks.swiftnet import SwiftNet

STRIDE = 4
"""Of both features."""
SMALLEST_NORM = 1e-12


class Fusion(nn.Module):
    """Feature fusion and the prediction head, "FFM" and "Dec" of the paper.

    Args:
        common: Channels of the common feature.
        independent: Channels of the independent feature that are used.
        num_classes: Channels of the logits.
        head_layers: 0: the head is one 1x1 convolution; 1: one more, with normalization, comes before it.
    """

    def __init__(self, common: int, independent: int, num_classes: int, head_layers: int = 0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(common + independent, common, 1)
        self.normalization = nn.BatchNorm2d(common)
        hidden: list[nn.Module] = []
        for _ in range(head_layers):
            hidden += [nn.Conv2d(common, common, 1, bias=False), nn.BatchNorm2d(common), nn.ReLU(inplace=True)]
        self.hidden = nn.Sequential(*hidden)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(common, num_classes, 1, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def fuse(self, common: Tensor, independent: Tensor) -> Tensor:
        """The fused feature, unit vectors like its parts; equations 3 and 5."""
        return unit(F.relu(self.normalization(self.convolution(torch.cat([common, independent], 1)))))

    def predict(self, fused: Tensor) -> Tensor:
        """Logits of a fused feature; equation 4."""
        return self.classify(self.dropout(self.hidden(fused)))


class Dcfm(nn.Module):
    """A segmentation network whose features are shared between pictures.

    Args:
        encoder: The segmentation network. The name makes the training loop treat all of it as pretrained.
        head_layers: See ``Fusion``.

    Raises:
        ModelError: The network is no SwiftNet.
    """

    def __init__(self, encoder: nn.Module, head_layers: int = 0) -> None:
        super().__init__()
        if not isinstance(encoder, SwiftNet):
            raise ModelError(
                f"dcfm builds on a SwiftNet, not on {type(encoder).__name__}; take other segmenter weights"
            )
        self.encoder = encoder
        width, num_classes = encoder.head.in_channels, encoder.head.out_channels
        self.fusion = Fusion(width, used_channels(encoder), num_classes, head_layers)

    def train(self, mode: bool = True) -> Dcfm:
        """Statistics of the pretrained part stay as they are: a batch holds every scene twice."""
        super().train(mode)
        for module in self.encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, C, H/4, W/4) of pictures (N, 3, H, W) as keyframes, from nothing but themselves."""
        common = unit(decoded(self.encoder, x))
        return self.fusion.predict(self.fusion.fuse(common, independent(self.encoder, x)))

    @torch.no_grad()
    def begin(self, x: Tensor) -> None:
        """Start from the network's own answers: the fusion hands the common feature on, the head is the network's.

        Args:
            x: Pictures (N, 3, H, W) from which the size of the features is learned.
        """
        deep = decoded(self.encoder, x).float()
        variance, mean = torch.var_mean(unit(deep), (0, 2, 3))
        convolution, normalization = self.fusion.convolution, self.fusion.normalization
        convolution.weight.zero_()
        convolution.weight[:, : len(mean), 0, 0] = torch.eye(len(mean))
        normalization.running_mean, normalization.running_var = mean, variance
        normalization.weight.copy_((variance + normalization.eps).sqrt())
        normalization.bias.copy_(mean)
        if not self.fusion.hidden:
            self.fusion.classify.weight.copy_(self.encoder.head.weight * torch.linalg.vector_norm(deep, dim=1).mean())


def decoded(network: SwiftNet, x: Tensor) -> Tensor:
    """The last feature of the decoder, (N, width, H/4, W/4)."""
    return network.decode(network.encoder(x))[-1]


def independent(network: SwiftNet, x: Tensor) -> Tensor:
    """The first half of the channels of the normalized early feature, (N, c, H/4, W/4)."""
    encoder: Any = network.encoder
    early = encoder.early(x)
    if encoder.early_stride < STRIDE:
        early = F.pixel_unshuffle(early, STRIDE // encoder.early_stride)
    return unit(early)[:, : early.shape[1] // 2]


def used_channels(network: SwiftNet) -> int:
    """Channels of ``independent``."""
    encoder: Any = network.encoder
    return encoder.early_channels * (STRIDE // encoder.early_stride) ** 2 // 2


def unit(x: Tensor) -> Tensor:
    """``x`` divided by its length over the channels."""
    return F.normalize(x, dim=1, eps=SMALLEST_NORM)
