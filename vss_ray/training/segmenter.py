"""Recipe of keyframe networks: labelled stills, random views, cross-entropy and the Lovasz-softmax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from vss_ray import config as points
from vss_ray import evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError, ModelError
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.networks import factory
from vss_ray.networks.pixels import normalize
from vss_ray.segmenters import builtin
from vss_ray.training import augment, imagenet, loop, losses, recipes

LOVASZ_STRIDE = 4


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    network: str = "swiftnet"
    """A network of ``vss_ray.networks``."""
    encoder: str = "mobilenet_v2"
    """Of SwiftNet; the other networks bring their own."""
    width: int | None = None
    """Channels, a multiple of 8; which ones, the network says. Left out, what its authors chose."""
    schedule: loop.Config = field(default_factory=loop.Config)
    # Pole, sign, pedestrian, bicyclist: the classes with few pixels.
    augment: augment.Config = field(default_factory=lambda: augment.Config(rare_classes=(2, 6, 9, 10)))
    auxiliary: float = 1.0
    """Factor of the auxiliary heads' cross-entropies, whose weights are the network's own."""
    lovasz: float = 0.5
    """Weight of the Lovasz-softmax."""


def train(
    data: Path, config: Config, *, imagenet_weights: Path | None, checkpoint: Path, device: str = "cpu"
) -> nn.Module:
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
    network = factory.build(config.network, config.encoder, num_classes, config.width)
    if imagenet_weights is not None:
        _load_encoder(network, imagenet_weights)
    pictures = [(still.image(), still.labels()) for still in camvid.stills(data, "train")]
    pixels = np.sum([np.bincount(labels.ravel(), minlength=256)[:num_classes] for _, labels in pictures], axis=0)
    weights = losses.class_weights(pixels).to(device)
    size = config.schedule.batch
    mean: Any = network.mean
    std: Any = network.std

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
            yield normalize(images, mean, std), torch.from_numpy(np.stack([ids for _, ids in views])).long().to(device)

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        logits, *others = network.forward_with_auxiliary(images)  # type: ignore[operator]
        total = losses.upsampled_cross_entropy(logits, labels, weights)
        factors: Any = network.auxiliary_weights
        for factor, coarse in zip(factors, others, strict=True):
            sampled = _sample(labels, labels.shape[-1] // coarse.shape[-1])
            total = total + config.auxiliary * factor * losses.upsampled_cross_entropy(coarse, sampled, weights)
        # Networks that score every pixel would spend most of their time on sorting them.
        skipped = max(1, LOVASZ_STRIDE * logits.shape[-1] // labels.shape[-1])
        return total + config.lovasz * losses.lovasz_softmax(logits[..., ::skipped, ::skipped], labels)

    steps = len(pictures) // size
    return loop.fit(
        network, batches, loss, config.schedule, steps_per_epoch=steps, checkpoint=checkpoint, device=device
    )


def _load_encoder(network: nn.Module, path: Path) -> None:
    encoder = getattr(network, "encoder", None)
    if not hasattr(encoder, "channels"):
        raise ModelError(f"{path}: {type(network).__name__} has no encoder with public weights; leave --imagenet out")
    imagenet.load(encoder, path)  # type: ignore[arg-type]


def _sample(labels: Tensor, stride: int) -> Tensor:
    return labels[:, stride // 2 :: stride, stride // 2 :: stride]


def run(
    data: Path,
    out: Path,
    *,
    videos: Sequence[Path],
    base: str,
    imagenet_weights: Path | None,
    recipe: Mapping[str, Any],
    overrides: Sequence[str],
) -> dict[str, Any]:
    """Train, write ``out``, and measure it on the drive of ``data/val`` as the pipeline will run it.

    Args:
        data: See ``training.Run``.
        out: See there.
        videos: Must be empty: only labelled stills are learned from.
        base: Is not looked at: the keyframe network builds on no other.
        imagenet_weights: See ``train``.
        recipe: See ``training.Run``.
        overrides: See there.

    Returns:
        ``mean_iou`` and ``iou`` by class name.

    Raises:
        ConfigError: A key names no field, or ``out`` is no .safetensors file, or there are videos.
    """
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out {out}: wanted a file that ends in .safetensors")
    if videos:
        raise ConfigError(f"--video {videos[0]}: the segmenter learns from labelled stills alone; leave it out")
    config = recipes.build(Config, recipe, overrides)
    taxonomy = taxonomies.load(camvid.TAXONOMY)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, imagenet_weights=imagenet_weights, checkpoint=checkpoint, device=device)
    builtin.save_weights(network, out, taxonomy, encoder=config.encoder)
    checkpoint.unlink()
    point = points.load("per_frame", [f"segmenter.weights={out}"]).resolved(has_cuda=False)
    inference = stages.build_inference(point, threads=torch.get_num_threads(), device="cpu")
    reached = evaluation.score(point, evaluation.load_drive(camvid.TAXONOMY, data), inference).to_dict()
    return {
        "mean_iou": reached["mean_iou"],
        "iou": dict(zip(taxonomy.classes, reached["iou"], strict=True)),
    }
