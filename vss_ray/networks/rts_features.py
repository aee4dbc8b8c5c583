"""What the models of RTS see: features for masks, features for the instance, and how masks and scores are encoded.

Paul et al., ECCV 2022, section 3, and the authors' code where the paper is silent.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

NORM_KERNEL = 3
"""Side of the filter that normalized features are meant for; the instance's is larger, and the constant the same."""


class SegmentationFeature(nn.Module):
    """Features that masks are fitted on, of unit size over the whole crop.

    Args:
        channels: Of the encoder at strides 4, 8, 16.
        width: Channels.
        stride: 16, as published: a convolution of stride 16; or 8: of strides 8 and 16 together.
    """

    def __init__(self, channels: Sequence[int], width: int, stride: int) -> None:
        super().__init__()
        _, eighth, sixteenth = channels[:3]
        self.fine = nn.Conv2d(eighth, width, 1) if stride == 8 else None
        self.coarse = nn.Conv2d(sixteenth, width, 1) if stride == 8 else None
        self.mix = nn.Conv2d(width if stride == 8 else sixteenth, width, 3, padding=1, bias=False)

    def forward(self, pyramid: Sequence[Tensor]) -> Tensor:
        """(B, width, h, w) of features at strides 4, 8, 16."""
        _, eighth, sixteenth = pyramid[:3]
        if self.fine is None or self.coarse is None:
            return instance_norm(self.mix(sixteenth))
        return instance_norm(self.mix((self.fine(eighth) + enlarged(self.coarse(sixteenth), eighth)).relu()))


class InstanceFeature(nn.Module):
    """Features that the instance is told by, of unit size over the whole crop.

    Args:
        channels: Of the encoder at stride 16.
        width: Channels.
        stride: Of the features: 16, or 32 as published.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, 3, stride // 16, 1)

    def forward(self, sixteenth: Tensor) -> Tensor:
        """(B, width, h, w) of the encoder's features at stride 16."""
        return instance_norm(self.convolution(sixteenth))


class LabelEncoder(nn.Module):
    """A mask as what the segmentation model is to say (E), and what of it counts (W); no normalization.

    Args:
        widths: Channels after the first convolution and after each block; every block halves the size. As published
            (16, 32, 64), stride 16.
        encoding: Channels of E and W.
    """

    def __init__(self, widths: Sequence[int], encoding: int) -> None:
        super().__init__()
        first, *blocks = widths
        self.stem = nn.Sequential(nn.Conv2d(1, first, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.blocks = nn.Sequential(*_blocks(first, blocks, 2))
        self.label = nn.Conv2d(widths[-1], encoding, 3, padding=1)
        self.importance = nn.Conv2d(widths[-1], encoding, 3, padding=1)
        nn.init.zeros_(self.importance.weight)
        nn.init.ones_(self.importance.bias)  # type: ignore[arg-type]

    def forward(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        """E and W (B, encoding, h, w) of ``masks`` (B, 1, H, W) from 0 to 1."""
        features = self.blocks(self.stem(masks))
        return self.label(features).relu(), self.importance(features)


class ScoreEncoder(nn.Module):
    """The instance's scores as what is added to the encoding of the mask; as the label encoder, without strides.

    Args:
        widths: Channels after the first convolution and after each block.
        encoding: Channels of the result.
    """

    def __init__(self, widths: Sequence[int], encoding: int) -> None:
        super().__init__()
        first, *blocks = widths
        self.stem = nn.Sequential(nn.Conv2d(1, first, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 1, 1))
        self.blocks = nn.Sequential(*_blocks(first, blocks, 1))
        self.label = nn.Conv2d(widths[-1], encoding, 3, padding=1)

    def forward(self, scores: Tensor) -> Tensor:
        """(B, encoding, h, w) of ``scores`` (B, 1, h, w)."""
        return self.label(self.blocks(self.stem(scores))).relu()


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is one as well."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, out_channels, h, w) of ``x``, smaller by the stride."""
        return (self.second(self.first(x).relu()) + self.shortcut(x)).relu()


def instance_norm(features: Tensor) -> Tensor:
    """``features`` (B, C, h, w) at a size that depends on C alone: mean square 1 / (9 C)."""
    scale = features.new_tensor(1 / (features.shape[1] * NORM_KERNEL**2)).sqrt()
    mean_square = features.square().mean((1, 2, 3), keepdim=True)
    return features * (scale * (mean_square + 1e-8).rsqrt())


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """``x`` at the size of ``like``; bilinear, where the authors take bicubic, which overshoots and exports badly."""
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def conditioned(encoding: Tensor, encoded_scores: Tensor) -> Tensor:
    """Mask encoding with the encoded scores added: (B, D, h, w) of (B, D, h, w) and (B, D, h', w').

    The scores' map is one cell larger than the features, its first cell on the rim of the crop: corners align.
    """
    return encoding + F.interpolate(encoded_scores, encoding.shape[-2:], mode="bilinear", align_corners=True)


def _blocks(width: int, widths: Sequence[int], stride: int) -> list[Block]:
    return [Block(*pair, stride) for pair in zip((width, *widths), widths, strict=False)]
