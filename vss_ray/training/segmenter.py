"""Recipe of the default keyframe network: SwiftNet on MobileNetV2, ImageNet weights, labelled stills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.datasets import camvid
from vss_ray.metrics.confusion import VOID, confusion
from vss_ray.networks.swiftnet import SwiftNet
from vss_ray.segmenters.builtin import build_network, normalize
from vss_ray.training import augment, imagenet, loop, losses


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    encoder: str = "mobilenet_v2"
    width: int = 128
    schedule: loop.Config = field(default_factory=loop.Config)
    # Pole, sign, pedestrian, bicyclist: the classes with few pixels.
    augment: augment.Config = field(default_factory=lambda: augment.Config(rare_classes=(2, 6, 9, 10)))
    auxiliary: float = 0.4
    """Weight of the cross-entropy at stride 8."""
    lovasz: float = 0.5
    """Weight of the Lovasz-softmax."""


def train(
    data: Path, config: Config, *, imagenet_weights: Path | None, checkpoint: Path, device: str = "cpu"
) -> SwiftNet:
    """Train on the stills of ``data/train``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        imagenet_weights: Weights of the encoder; None starts from noise.
        checkpoint: See ``loop.fit``.
        device: ``cpu`` or ``cuda``.
    """
    torch.manual_seed(config.schedule.seed)
    network = build_network(config.encoder, num_classes=11, width=config.width)
    if imagenet_weights is not None:
        imagenet.load(network.encoder, imagenet_weights)
    pictures = [(still.image(), still.labels()) for still in camvid.stills(data, "train")]
    pixels = np.sum([np.bincount(labels.ravel(), minlength=256)[:11] for _, labels in pictures], axis=0)
    weights = losses.class_weights(pixels).to(device)
    size = config.schedule.batch

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.random.default_rng([config.schedule.seed, epoch]).permutation(len(pictures))
        for start in range(0, len(order) - size + 1, size):
            views = [
                augment.random_view(*pictures[i], config.augment, np.random.default_rng([config.schedule.seed, epoch, i]))
                for i in order[start : start + size]
            ]
            images = torch.from_numpy(np.stack([image for image, _ in views])).to(device)
            yield normalize(images), torch.from_numpy(np.stack([ids for _, ids in views])).long().to(device)

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        logits, coarse = network.forward_with_auxiliary(images)  # type: ignore[operator]
        return (
            losses.upsampled_cross_entropy(logits, labels, weights)
            + config.auxiliary * losses.upsampled_cross_entropy(coarse, labels[:, 4::8, 4::8], weights)
            + config.lovasz * losses.lovasz_softmax(logits, labels)
        )

    steps = len(pictures) // size
    trained: Any = loop.fit(
        network, batches, loss, config.schedule, steps_per_epoch=steps, checkpoint=checkpoint, device=device
    )
    return trained


@torch.inference_mode()
def evaluate(network: nn.Module, data: Path, split: str = "val", device: str = "cpu") -> np.ndarray:
    """Confusion counts (11, 11) of ``network`` over ``data/split``, scores enlarged bilinearly before the argmax."""
    counts = np.zeros((11, 11), np.int64)
    for still in camvid.stills(data, split):
        labels = still.labels()
        images = torch.from_numpy(still.image())[None].to(device)
        side = [max(32, round(length / 32) * 32) for length in labels.shape]
        resized = F.interpolate(normalize(images), side, mode="bilinear", align_corners=False)
        logits = F.interpolate(network(resized), labels.shape, mode="bilinear", align_corners=False)
        counts += confusion(np.where(labels == VOID, 255, labels), logits.argmax(1)[0].cpu().numpy(), 11)
    return counts
