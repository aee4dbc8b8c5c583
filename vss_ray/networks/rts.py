"""RTS: two small models, fitted online to one object, on features that nobody refits (Paul et al., ECCV 2022).

The segmentation model says at every cell how the mask is encoded there, the instance model scores where the middle of
the object is; a decoder makes pixels of both. This file is the network: what it learns, it learns beforehand. What is
fitted online is in ``few_shot``, when in ``vss_ray.tracking``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.few_shot import correlate
from vss_ray.networks.mobilenet_v2 import MobileNetV2
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD
from vss_ray.networks.resnet50 import ResNet50
from vss_ray.networks.roi_align import roi_align
from vss_ray.networks.rts_decoder import Decoder
from vss_ray.networks.rts_features import (
    InstanceFeature,
    LabelEncoder,
    ScoreEncoder,
    SegmentationFeature,
    conditioned,
)

ENCODERS = {"mobilenet_v2": MobileNetV2, "resnet50": ResNet50}
MASK_KERNEL, INSTANCE_KERNEL = 3, 4
"""Sides of the fitted filters."""
SIGMA = 1.0
"""Of the instance's label, cells: a quarter of an object that is a quarter of its crop."""
REGULARIZATION = 0.01
"""Of the segmentation model, before it has learned."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shape of the network; the defaults are the reduced one, for two CPU cores. See ``PUBLISHED``."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    encoder: Literal["mobilenet_v2", "resnet50"] = "mobilenet_v2"
    strides: Literal["8/16", "16/32"] = "8/16"
    """Of the features of the segmentation and of the instance model."""
    segmentation_width: int = 64
    instance_width: int = 64
    encoding: int = 16
    """Channels of an encoded mask."""
    label_widths: tuple[int, ...] = (8, 32)
    score_widths: tuple[int, ...] = (8, 16, 32)
    decoder_widths: tuple[int, ...] = (24, 32, 48)
    """At strides 4, 8, ...; the encoder runs as far as they need it."""
    decoder_depth: int = 0
    """See ``rts_decoder.Decoder``."""

    @property
    def mask_stride(self) -> int:
        """Pixels of a cell of the segmentation model."""
        return 8 if self.strides == "8/16" else 16

    @property
    def instance_stride(self) -> int:
        """Pixels of a cell of the instance model."""
        return 2 * self.mask_stride

    def __post_init__(self) -> None:
        reached = 4 * 2 ** (len(self.label_widths) - 1)
        if reached != self.mask_stride or not 3 <= len(self.decoder_widths) <= 4:
            raise ValueError(
                f"rts: label_widths of stride {reached} and {len(self.decoder_widths)} decoder_widths; wanted stride "
                f"{self.mask_stride}, as strides says, and 3 or 4 widths"
            )


PUBLISHED = Config(
    encoder="resnet50",
    strides="16/32",
    segmentation_width=512,
    instance_width=512,
    label_widths=(16, 32, 64),
    score_widths=(16, 32, 64),
    decoder_widths=(64, 128, 128, 256),
    decoder_depth=2,
)
"""The sizes of the paper, for crops of 832x480. Upsampling differs: bilinear and one sub-pixel convolution."""


@dataclass(frozen=True)
class Features:
    """What a picture is to the models; B is 1 where objects share it."""

    mask: Tensor
    """(B, C, h, w), for the segmentation model."""
    instance: Tensor
    """(B, C, h', w'), for the instance model."""
    reduced: tuple[Tensor, ...]
    """(B, width, H/s, W/s) at strides 4, 8, ..., for the decoder."""


class Rts(nn.Module):
    """All that is learned offline.

    Args:
        config: Shape.
        encoder: Its first stages are taken; None: one of ``config.encoder``, untrained.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self, config: Config = Config(), encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        levels = len(config.decoder_widths)
        whole: Any = ENCODERS[config.encoder]() if encoder is None else encoder
        channels = whole.channels[:levels]
        self.encoder = nn.ModuleList(whole.stages[:levels])
        self.mask_feature = SegmentationFeature(channels, config.segmentation_width, config.mask_stride)
        self.instance_feature = InstanceFeature(channels[2], config.instance_width, config.instance_stride)
        self.label_encoder = LabelEncoder(config.label_widths, config.encoding)
        self.score_encoder = ScoreEncoder(config.score_widths, config.encoding)
        self.initializer = nn.Conv2d(config.instance_width, config.instance_width, 3, padding=1)
        self.decoder = Decoder(channels, config.decoder_widths, config.encoding, config.decoder_depth)
        self.regularization = nn.Parameter(torch.tensor([REGULARIZATION]))
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder."):
                _begin(module, is_constant=name == "label_encoder.importance")

    def features(self, pictures: Tensor) -> Features:
        """Of normalized pictures (B, 3, H, W), sides multiples of 16 (32 with four levels)."""
        return self.heads(self.encode(pictures))

    def encode(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """The encoder's features at strides 4, 8, ..."""
        pyramid = []
        for stage in self.encoder:
            pictures = stage(pictures)
            pyramid.append(pictures)
        return tuple(pyramid)

    def heads(self, pyramid: Sequence[Tensor]) -> Features:
        """What the models see of the encoder's features."""
        return Features(self.mask_feature(pyramid), self.instance_feature(pyramid[2]), self.decoder.reduce(pyramid))

    def first_mask_model(self, objects: int) -> Tensor:
        """(objects, encoding, C, 3, 3): zero, from where the fit begins."""
        shape = (objects, self.config.encoding, self.config.segmentation_width, MASK_KERNEL, MASK_KERNEL)
        return self.regularization.new_zeros(shape)

    def first_instance_model(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(B, 1, C, 4, 4) of what is in the boxes, mean over samples: from where the fit begins.

        Args:
            features: (B, N, C, h, w).
            boxes: (B, N, 4) left, top, right, bottom in pixels of the crop.
        """
        objects = len(features)
        looked = self.initializer(features.flatten(0, 1))
        pooled = roi_align(looked, boxes.flatten(0, 1), INSTANCE_KERNEL, self.config.instance_stride)
        # Relative to its own size, so that the scores of what the box holds are about 1.
        pooled = pooled.unflatten(0, (objects, -1)).mean(1, keepdim=True)
        return pooled / pooled.square().sum((1, 2, 3, 4), keepdim=True).add(1e-8).sqrt()

    def score(self, model: Tensor, features: Tensor) -> Tensor:
        """(B, 1, h + 1, w + 1) of models (B, 1, C, 4, 4) on features (B or 1, C, h, w).

        Score (i, j) belongs to pixel (i, j) times ``instance_stride``.
        """
        return correlate(_one_sample(features, len(model)), model)[:, 0]

    def segment(self, model: Tensor, features: Features, scores: Tensor | None) -> Tensor:
        """Logits (B, 1, H/2, W/2).

        Args:
            model: (B, encoding, C, 3, 3).
            features: Of the pictures, or of the one that all objects are in.
            scores: (B, 1, h + 1, w + 1) of the instance; None: without it.
        """
        return self.decode(self.encoding(model, features.mask), scores, features.reduced)

    def encoding(self, model: Tensor, features: Tensor) -> Tensor:
        """Encoded masks (B, encoding, h, w), as models (B, encoding, C, 3, 3) say on features (B or 1, C, h, w)."""
        return correlate(_one_sample(features, len(model)), model)[:, 0]

    def decode(self, encoding: Tensor, scores: Tensor | None, reduced: Sequence[Tensor]) -> Tensor:
        """See ``segment``."""
        if scores is not None:
            encoding = conditioned(encoding, self.score_encoder(scores))
        return self.decoder(reduced, encoding)


def _begin(convolution: nn.Conv2d, *, is_constant: bool) -> None:
    """Without normalization, layers have to begin at a size that neither fades nor grows; W begins as 1."""
    if is_constant:
        nn.init.zeros_(convolution.weight)
    else:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    if convolution.bias is not None:
        nn.init.constant_(convolution.bias, float(is_constant))


def _one_sample(features: Tensor, objects: int) -> Tensor:
    return features.expand(objects, -1, -1, -1)[:, None]


def resized(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """``logits`` (B, 1, h, w) at ``size`` (H, W), bilinear."""
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)
