"""PSPNet: a dilated residual network, average pooling to four coarse grids; logits at an eighth of the input.

Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017, section 3.2, on ResNet-18. Names of the head's parameters are
those of hszhao/semseg, those of the encoder torchvision's, so that its public ImageNet weights load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD
from vss_ray.networks.resnet import ResNet18

PYRAMID_BINS = (1, 2, 3, 6)


class PSPNet(nn.Module):
    """Logits at stride 8.

    Args:
        num_classes: Channels of the logits.
        width: Channels of the head and of the encoder's last layer; other layers follow in proportion.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    classifier = "cls.4.bias"
    training_only = ("aux.",)
    auxiliary_weights = (0.4,)  # section 3.3

    def __init__(self, num_classes: int, width: int = 512) -> None:
        super().__init__()
        self.width = width
        self.encoder = ResNet18(width // 8, dilated=True)
        *_, third, deepest = self.encoder.channels
        self.ppm = PyramidPooling(deepest, deepest // len(PYRAMID_BINS))
        self.cls = _head(2 * deepest, width, num_classes)
        self.aux = _head(third, third, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, H/8, W/8) of ``x`` (N, 3, H, W; ImageNet-normalized, sides multiples of 8)."""
        return self.cls(self.ppm(self.encoder(x)[-1]))

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits at stride 8, and those of the last layer but one."""
        *_, third, deepest = self.encoder(x)
        return self.cls(self.ppm(deepest)), self.aux(third)

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.encoder.deepest

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state of hszhao/semseg's layout, which keeps the stem in ``layer0``, under this module's names."""
        stem = {"layer0.0.": "conv1.", "layer0.1.": "bn1."}
        converted = {}
        for name, tensor in state.items():
            if name.startswith("layer"):
                name = "encoder." + stem.get(name[:9], name[:9]) + name[9:]
            converted[name] = tensor
        return converted


class PyramidPooling(nn.Module):
    """Features beside their averages over coarse grids (Figure 3c)."""

    def __init__(self, in_channels: int, level: int) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bins),
                nn.Conv2d(in_channels, level, 1, bias=False),
                nn.BatchNorm2d(level),
                nn.ReLU(inplace=True),
            )
            for bins in PYRAMID_BINS
        )

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (N, in_channels, h, w) with its context, (N, in_channels + 4 level, h, w)."""
        levels = [F.interpolate(f(x), x.shape[-2:], mode="bilinear", align_corners=False) for f in self.features]
        return torch.cat([x, *levels], 1)


def _head(in_channels: int, hidden: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 3, 1, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.1),
        nn.Conv2d(hidden, num_classes, 1),
    )


build = PSPNet
