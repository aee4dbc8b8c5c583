"""Recipe of the refiner of EVS: a copy of the network's upper part learns to live with deep features that were carried.

The thesis trains nothing for video and shares the network's weights (chapter 3). Here deep features of a picture one to
four frames away come along the flow, as they do when labels are refined. What is wanted is what the network says with
the picture's own; labels are not asked for, because the network knows the stills by heart. All that computes features
is frozen, so that the network on keyframes stays what it was.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vss_ray import config as points
from vss_ray import evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.inference.evs import is_joining
from vss_ray.inference.warping import warp_features
from vss_ray.networks import stored
from vss_ray.segmenters import builtin
from vss_ray.training import loop, losses, mixture, motion, recipes, request, sequences


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schedule: loop.Config = field(
        default_factory=lambda: loop.Config(epochs=3, batch=4, learning_rate=3e-4, weight_decay=0.01, ema=0.99)
    )
    """``batch`` counts pairs of pictures."""
    steps: int = 100
    """Batches of an epoch."""
    sequences: sequences.Config = field(default_factory=lambda: sequences.Config(distances=(1, 2, 3, 4)))
    mixture: mixture.Config = field(default_factory=mixture.Config)


class Refining(nn.Module):
    """The network as a refiner: only what ``join`` uses learns, and no statistics move."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.teacher = copy.deepcopy(network).requires_grad_(False)
        belongs = is_joining(network)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(belongs(name))

    def train(self, mode: bool = True) -> Refining:
        """Batch statistics stay those that the network was trained with."""
        return super().train(False)

    def forward(self, key: Tensor, picture: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of ``picture`` (B, 3, H, W) with the deep features of ``key``, carried along (B, h, w, 2).

        Beside them, those that the network has with the picture's own.
        """
        teacher: Any = self.teacher
        with torch.no_grad():
            carried = warp_features(teacher.deep(teacher.shallow(key)), displacement)
            shallow = teacher.shallow(picture)
            wanted = teacher.join(shallow, teacher.deep(shallow))
        return self.network.join(shallow, carried), wanted  # type: ignore[operator]


def train(
    data: Path, config: Config, *, base: str, videos: Sequence[Path], checkpoint: Path, device: str = "cpu"
) -> nn.Module:
    """Train on the stills of ``data/train``, on rendered scenes and on ``videos``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: The network that is refined with, as ``segmenter.weights``.
        videos: Footage without labels; ``base`` is the teacher.
        checkpoint: See ``loop.fit``.
        device: ``cpu`` or ``cuda``.

    Returns:
        The network with its trained upper part.
    """
    torch.manual_seed(config.schedule.seed)
    network, _ = builtin.load_network(builtin.Config(weights=base))
    cache = checkpoint.parent / "teacher"
    sources = mixture.sources(data, videos, network, config.mixture, cache=cache, device=device)

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        pairs = sequences.batches(
            sources,
            config.sequences,
            length=2,
            batch=config.schedule.batch,
            steps=config.steps,
            seed=config.schedule.seed,
            epoch=epoch,
            device=device,
        )
        for images, _ in pairs:
            yield images, motion.between(images)[:, 1]

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, displacement = batch
        return losses.distillation_kl(*model(images[:, 0], images[:, 1], displacement))

    trained: Any = loop.fit(
        Refining(network),
        batches,
        loss,
        config.schedule,
        steps_per_epoch=config.steps,
        checkpoint=checkpoint,
        device=device,
    )
    return trained.network


def run(
    data: Path,
    out: Path,
    *,
    videos: Sequence[Path] = (),
    base: str = "swiftnet_mobilenet_v2_camvid",
    imagenet_weights: Path | None = None,
    recipe: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Train, write ``out``, and measure it on the drive of ``data/val``; see ``training.Run``.

    Returns:
        ``mean_iou`` of the operating point evs-06 with these weights and, as ``shared``, without.
    """
    description = request.check("evs", out, base, imagenet_weights)
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, base=base, videos=videos, checkpoint=checkpoint, device=device)
    metadata = {
        "network": "evs",
        "base": description.digest,
        "taxonomy": json.dumps(description.taxonomy.to_dict()),
    }
    stored.save(network, out, metadata, is_joining(network))
    checkpoint.unlink()
    drive = evaluation.load_drive(camvid.TAXONOMY, data)
    reached = {}
    for name, weights in (("mean_iou", str(out)), ("shared", "null")):
        overridden = [f"segmenter.weights={base}", f"method.weights={weights}"]
        point = points.load("evs-06", overridden).resolved(has_cuda=False)
        inference = stages.build_inference(point, threads=torch.get_num_threads(), device="cpu")
        reached[name] = evaluation.score(point, drive, inference).to_dict()["mean_iou"]
    return reached
