"""ICNet: half resolution through a shallow trunk, a quarter through a deep one, the full picture through three layers.

Zhao et al., "ICNet for Real-Time Semantic Segmentation on High-Resolution Images", ECCV 2018, section 3, in the pruned
form that its authors published (``icnet_cityscapes_bnnomerge.prototxt``; modules bear its layers' names): the deep
branch goes on from the trunk's features, so that nothing is computed twice. It differs in one thing: pictures are
resized by pixel areas, since their sides are multiples of 32 here and not one more.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD

PYRAMID_BINS = (1, 2, 3, 6)
PUBLISHED_NAMES = (
    (r"^convbnrelu1_([123])\.cbr_unit\.", lambda m: f"conv1.{int(m[1]) - 1}."),
    (r"^convbnrelu([123])_sub1\.cbr_unit\.", lambda m: f"sub1.{int(m[1]) - 1}."),
    (r"^res_block3_conv\.layers\.0\.", "conv3_1."),
    (r"^res_block3_identity\.layers\.", "conv3."),
    (r"^res_block([245])\.layers\.", r"conv\1."),
    (r"\.cbr1\.cbr_unit\.", ".reduce."),
    (r"\.cbr2\.cbr_unit\.", ".filter."),
    (r"\.cb3\.cb_unit\.", ".increase."),
    (r"\.cb4\.cb_unit\.", ".proj."),
    (r"^conv5_4_k1\.cbr_unit\.", "conv5_4_k1."),
    (r"^cff_sub24\.low_dilated_conv_bn\.cb_unit\.", "conv_sub4."),
    (r"^cff_sub24\.high_proj_conv_bn\.cb_unit\.", "conv3_1_sub2_proj."),
    (r"^cff_sub24\.low_classifier_conv\.", "conv6_sub4."),
    (r"^cff_sub12\.low_dilated_conv_bn\.cb_unit\.", "conv_sub2."),
    (r"^cff_sub12\.high_proj_conv_bn\.cb_unit\.", "conv3_sub1_proj."),
    (r"^cff_sub12\.low_classifier_conv\.", "conv6_sub2."),
    (r"^classification\.", "conv6_cls."),
)
"""Names of meetps/pytorch-semseg, which carries the authors' weights over from Caffe -> names of this module."""
FIRST_LAYERS = ("conv1.0.0.weight", "sub1.0.0.weight")


class ICNet(nn.Module):
    """Logits at stride 4.

    Args:
        num_classes: Channels of the logits.
        width: Channels of the fused features; those of all other layers are multiples of a quarter of it.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    classifier = "conv6_cls.bias"
    training_only = ("conv6_sub4.", "conv6_sub2.")
    auxiliary_weights = (0.4, 0.16)  # section 4.1
    joining = ("conv3_1_sub2_proj.", "conv_sub2.", "conv3_sub1_proj.", "conv6_cls.")
    """Prefixes of the parameters that ``join`` uses."""

    def __init__(self, num_classes: int, width: int = 128) -> None:
        super().__init__()
        self.width = width
        unit = width // 4
        self.conv1 = nn.Sequential(
            _convolution(3, unit, stride=2), _convolution(unit, unit), _convolution(unit, 2 * unit)
        )
        self.pool1 = nn.MaxPool2d(3, 2, 1)
        self.conv2 = _residual_blocks(3, 2 * unit, 4 * unit)
        self.conv3_1 = Bottleneck(4 * unit, 8 * unit, stride=2)
        self.conv3 = _residual_blocks(3, 8 * unit, 8 * unit)
        self.conv4 = _residual_blocks(6, 8 * unit, 16 * unit, dilation=2)
        self.conv5 = _residual_blocks(3, 16 * unit, 32 * unit, dilation=4)
        self.conv5_4_k1 = _convolution(32 * unit, 8 * unit, kernel=1)
        self.conv_sub4 = _linear(8 * unit, width, dilation=2)
        self.conv3_1_sub2_proj = _linear(8 * unit, width, kernel=1)
        self.conv_sub2 = _linear(width, width, dilation=2)
        self.sub1 = nn.Sequential(
            _convolution(3, unit, stride=2), _convolution(unit, unit, stride=2), _convolution(unit, 2 * unit, stride=2)
        )
        self.conv3_sub1_proj = _linear(2 * unit, width, kernel=1)
        self.conv6_cls = nn.Conv2d(width, num_classes, 1)
        self.conv6_sub4 = nn.Conv2d(8 * unit, num_classes, 1)
        self.conv6_sub2 = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes, H/4, W/4) of ``x`` (N, 3, H, W; ImageNet-normalized, sides multiples of 32)."""
        shallow = self.shallow(x)
        return self.join(shallow, self.deep(shallow))

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits at strides 4, 8 and 16: cascade label guidance (section 3.3)."""
        sixteenth, eighth = self.shallow(x)
        context = self._context(sixteenth)
        fused = self._fuse(sixteenth, self.conv_sub4(context))
        return self._classify(eighth, fused), self.conv6_sub2(fused), self.conv6_sub4(context)

    @property
    def deepest(self) -> nn.Module:
        """See ``vss_ray.networks``."""
        return self.conv5[-1]

    def shallow(self, x: Tensor) -> tuple[Tensor, ...]:
        """What every picture has to compute for itself: features of the trunk at stride 16, of the picture at 8."""
        half = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
        return self.conv3_1(self.conv2(self.pool1(self.conv1(half)))), self.sub1(x)

    def deep(self, shallow: tuple[Tensor, ...]) -> Tensor:
        """What may come from another picture: features (N, width, H/16, W/16), context included, before any ReLU."""
        return self.conv_sub4(self._context(shallow[0]))

    def join(self, shallow: tuple[Tensor, ...], deep: Tensor) -> Tensor:
        """Logits from both: ``join(s, deep(s))`` with ``s = shallow(x)`` is ``forward(x)``."""
        sixteenth, eighth = shallow
        return self._classify(eighth, self._fuse(sixteenth, deep))

    def _context(self, sixteenth: Tensor) -> Tensor:
        x = F.interpolate(sixteenth, scale_factor=0.5, mode="bilinear", align_corners=False)
        x = self.conv5(self.conv4(self.conv3(x)))
        pooled = [F.adaptive_avg_pool2d(x, bins) for bins in PYRAMID_BINS]
        x = x + sum(F.interpolate(p, x.shape[-2:], mode="bilinear", align_corners=False) for p in pooled)
        return _enlarge(self.conv5_4_k1(x))

    def _fuse(self, sixteenth: Tensor, deep: Tensor) -> Tensor:
        return _enlarge(F.relu(deep + self.conv3_1_sub2_proj(sixteenth)))

    def _classify(self, eighth: Tensor, fused: Tensor) -> Tensor:
        return self.conv6_cls(_enlarge(F.relu(self.conv_sub2(fused) + self.conv3_sub1_proj(eighth))))

    @staticmethod
    def convert(state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Published weights under this module's names; what has those names already stays as it is.

        The published network takes BGR from 0 to 255, less a mean within 0.5 of ImageNet's: its first layers are
        turned into ones that take what this one takes.
        """
        if "classification.weight" not in state:
            return dict(state)
        converted = {}
        for name, tensor in state.items():
            for pattern, replacement in PUBLISHED_NAMES:
                name = re.sub(pattern, replacement, name)
            if not name.startswith("pyramid_pooling."):
                converted[name] = tensor
        for name in FIRST_LAYERS:
            converted[name] = converted[name].flip(1) * torch.tensor(IMAGENET_STD)[:, None, None]
        return converted


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut; the stride is that of the first."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        hidden = out_channels // 4
        self.reduce = _convolution(in_channels, hidden, kernel=1, stride=stride)
        self.filter = _convolution(hidden, hidden, dilation=dilation)
        self.increase = _linear(hidden, out_channels, kernel=1)
        self.proj = None
        if stride != 1 or in_channels != out_channels:
            self.proj = _linear(in_channels, out_channels, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Features of ``x`` (N, in_channels, H, W), halved where the stride is 2."""
        shortcut = x if self.proj is None else self.proj(x)
        return F.relu(self.increase(self.filter(self.reduce(x))) + shortcut)


def _residual_blocks(count: int, in_channels: int, out_channels: int, *, dilation: int = 1) -> nn.Sequential:
    first = Bottleneck(in_channels, out_channels, dilation=dilation)
    return nn.Sequential(first, *(Bottleneck(out_channels, out_channels, dilation=dilation) for _ in range(count - 1)))


def _convolution(in_channels: int, out_channels: int, **kinds: int) -> nn.Sequential:
    return _linear(in_channels, out_channels, **kinds).append(nn.ReLU(inplace=True))


def _linear(
    in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def _enlarge(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


build = ICNet
