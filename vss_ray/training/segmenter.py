"""Recipe of the default keyframe network: SwiftNet on MobileNetV2, ImageNet weights, labelled stills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vss_ray import config as points
from vss_ray import evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.networks import factory
from vss_ray.networks.pixels import normalize
from vss_ray.networks.swiftnet import SwiftNet
from vss_ray.segmenters import builtin
from vss_ray.training import augment, imagenet, loop, losses


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

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
    num_classes = len(taxonomies.load(camvid.TAXONOMY))
    network = factory.swiftnet(config.encoder, num_classes=num_classes, width=config.width)
    if imagenet_weights is not None:
        imagenet.load(network.encoder, imagenet_weights)
    pictures = [(still.image(), still.labels()) for still in camvid.stills(data, "train")]
    pixels = np.sum([np.bincount(labels.ravel(), minlength=256)[:num_classes] for _, labels in pictures], axis=0)
    weights = losses.class_weights(pixels).to(device)
    size = config.schedule.batch

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = np.random.default_rng([config.schedule.seed, epoch]).permutation(len(pictures))
        for start in range(0, len(order) - size + 1, size):
            views = [
                augment.random_view(
                    pictures[i][0],
                    pictures[i][1],
                    config.augment,
                    np.random.default_rng([config.schedule.seed, epoch, i]),
                )
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


def run(data: Path, out: Path, *, imagenet_weights: Path | None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Train, write ``out``, and measure it on the drive of ``data/val`` as the pipeline will run it.

    Args:
        data: CamVid in the SegNet layout.
        out: Weights to write; the checkpoint lies beside it until then.
        imagenet_weights: See ``train``.
        overrides: ``KEY=VALUE`` for fields of ``Config``.

    Returns:
        ``mean_iou`` and ``iou`` by class name.

    Raises:
        ConfigError: An override names no field, or ``out`` is no .safetensors file.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out}: wanted a file that ends in .safetensors")
    recipe = points.dataclass_from(Config, overrides)
    taxonomy = taxonomies.load(camvid.TAXONOMY)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, recipe, imagenet_weights=imagenet_weights, checkpoint=checkpoint, device=device)
    builtin.save_weights(network, out, taxonomy, encoder=recipe.encoder)
    checkpoint.unlink()
    point = points.load("per_frame", [f"segmenter.weights={out}"]).resolved(has_cuda=False)
    segmenter = stages.build_segmenter(point, threads=torch.get_num_threads(), device="cpu")
    reached = evaluation.score(point, evaluation.load_drive(camvid.TAXONOMY, data), segmenter).to_dict()
    return {
        "mean_iou": reached["mean_iou"],
        "iou": dict(zip(taxonomy.classes, reached["iou"], strict=True)),
    }
