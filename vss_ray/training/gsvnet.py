"""Recipe of GSVNet: carry a keyframe's scores one to four frames onward, answer for the labels of the last.

Lee, Chen, Peng, ICME 2021, section 3.4, as the authors' code trains: the keyframe network is frozen, the last two steps
are learned from, and the loss is a class-weighted cross-entropy with a distillation from the keyframe network on the
last frame. Distances are mixed batch by batch. What is added makes a short training enough. The flow net has a teacher
of its own, the flow that is solved on the pictures: labels alone teach it hardly any motion. The intra net answers for
labels itself: unless it is right now and then, the kernels never listen to it. And a share of the batches is carried
along the solved flow, so that one file of weights serves both settings of ``method.flow``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray import config as points
from vss_ray import evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.flow import inverse_search
from vss_ray.inference.gsvnet import Hyperparameters, resized
from vss_ray.networks import stored
from vss_ray.networks.gsvnet import NET_STRIDE, GsvNet
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD
from vss_ray.ops.motion import Flow
from vss_ray.ops.warp import resize_displacement
from vss_ray.segmenters import builtin
from vss_ray.training import loop, losses, mixture, recipes, request, sequences

FLOW_STRIDE = 4
"""Pixels of the keyframe network's input per pixel of the pictures that flow is solved on, as ``methods.gsvnet``."""
LUMA = (0.299, 0.587, 0.114)
LEARNED_STEPS = 2
"""Gradients go back through so many steps from the last."""
INTERVALS = (2, 3, 4)
"""Keyframe distances that the report measures."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schedule: loop.Config = field(default_factory=lambda: loop.Config(epochs=8, learning_rate=3e-3, ema=0.99))
    steps: int = 150
    """Batches of an epoch."""
    sequences: sequences.Config = field(default_factory=sequences.Config)
    mixture: mixture.Config = field(default_factory=mixture.Config)
    width: int = 24
    stride: int = 4
    """Pixels of the keyframe network's input per cell of the scores that are carried; published: 8."""
    zero_plane: bool = False
    error_plane: bool = True
    search: int = 3
    """The network's hyper-parameters, see ``networks.gsvnet.GsvNet``."""
    farthest: int = 4
    """Steps from the keyframe are drawn from 1 to this."""
    distillation: float = 1.0
    """Weight of the divergence from the keyframe network's own answer."""
    intra: float = 0.4
    """Weight of the cross-entropy of the intra net's own answer."""
    motion: float = 0.5
    """Weight of the distance between the flow net's and the solved displacements, per cell."""
    solved: float = 0.5
    """Share of the batches whose scores are carried along the solved flow."""

    def __post_init__(self) -> None:
        if self.stride not in (4, 8):
            raise ValueError(f"stride is {self.stride}; wanted 4 or 8 pixels")
        if self.farthest < 1:
            raise ValueError(f"farthest is {self.farthest}; wanted a step or more")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Sequences, and the motion in them."""

    images: Tensor
    """(B, T, 3, H, W) normalized."""
    labels: Tensor
    """(B, T, H, W); 255 counts for nothing."""
    motion: Tensor
    """(B, T - 1, 2, H/8, W/8) solved displacement of every picture but the first to the one before, cells."""
    is_carried_along_it: bool


def loss(model: GsvNet, base: nn.Module, batch: Batch, weights: Tensor, config: Config) -> dict[str, Tensor]:
    """What carrying the first picture's scores to the last costs, as ``loss``; and its terms.

    Args:
        model: In training.
        base: The keyframe network, frozen: logits (B, C, ., .) of pictures (B, 3, H, W).
        batch: Sequences.
        weights: (C,) of the classes.
        config: Weights of the terms.
    """
    images = batch.images
    num_steps = images.shape[1] - 1
    grid = images.shape[3] // config.stride, images.shape[4] // config.stride
    with torch.no_grad():
        ends = torch.cat([images[:, 0], images[:, -1]]).contiguous(memory_format=torch.channels_last)
        logits, taught = base(ends).float().chunk(2)
        logits = resized(logits, grid)
    small = F.avg_pool2d(images.flatten(0, 1), NET_STRIDE).unflatten(0, images.shape[:2])
    missed = images.new_zeros(())
    for step in range(1, num_steps + 1):
        here, there, solved = small[:, step], small[:, step - 1], batch.motion[:, step - 1]
        if step <= num_steps - LEARNED_STEPS:
            with torch.no_grad():
                logits = model.eval()(logits, here, there, solved if batch.is_carried_along_it else None)
            continue
        motion = model.train().flow(here, there).float()
        missed = missed + (motion - solved).norm(dim=1).mean() / min(num_steps, LEARNED_STEPS)
        logits = model(logits, here, there, solved if batch.is_carried_along_it else motion)
    # Every second row and column of the labels: half of the resolution is enough to learn from, and much faster.
    labels = losses.upsampled_cross_entropy(logits, batch.labels[:, -1, 1::2, 1::2], weights)
    distillation = divergence(resized(logits, taught.shape[-2:]), taught)  # type: ignore[arg-type]
    crude = model.guidance.intra(small[:, -1])
    middles = slice(NET_STRIDE // 2, None, NET_STRIDE)
    intra = losses.upsampled_cross_entropy(crude, batch.labels[:, -1, middles, middles], weights)
    total = labels + config.distillation * distillation + config.intra * intra + config.motion * missed
    return {"loss": total, "labels": labels, "distillation": distillation, "intra": intra, "motion": missed}


def divergence(logits: Tensor, taught: Tensor) -> Tensor:
    """Mean over pixels of KL(softmax(taught) || softmax(logits)); both (B, C, h, w)."""
    wanted, given = taught.float().log_softmax(1), logits.float().log_softmax(1)
    return (wanted.exp() * (wanted - given)).sum(1).mean()


def solved_motion(images: Tensor, flow: Flow) -> Tensor:
    """(B, T - 1, 2, H/8, W/8) displacement of every picture (B, T, 3, H, W) but the first to the one before, cells."""
    mean, std, luma = (images.new_tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD, LUMA))
    small = F.avg_pool2d(images.flatten(0, 1), FLOW_STRIDE) * std + mean
    gray = (small * luma).sum(1).round().clamp(0, 255).byte().unflatten(0, images.shape[:2]).cpu().numpy()
    grid = images.shape[3] // NET_STRIDE, images.shape[4] // NET_STRIDE
    fields = [[resize_displacement(flow(here, there), *grid) for there, here in pairwise(each)] for each in gray]
    return torch.from_numpy(np.array(fields)).permute(0, 1, 4, 2, 3).to(images.device)


def train(
    data: Path, config: Config, *, base: str, videos: Sequence[Path], checkpoint: Path, device: str = "cpu"
) -> GsvNet:
    """Train on the stills of ``data/train``, on rendered scenes and on ``videos``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: The keyframe network, as ``segmenter.weights``.
        videos: Footage without labels; ``base`` is the teacher.
        checkpoint: See ``loop.fit``.
        device: ``cpu`` or ``cuda``.
    """
    torch.manual_seed(config.schedule.seed)
    network, taxonomy = builtin.load_network(builtin.Config(weights=base))
    frozen = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels = camvid.count_pixels(data)
    weights = losses.class_weights(pixels[: len(taxonomy)]).to(device)
    cache = checkpoint.parent / "teacher"
    sources = mixture.sources(data, videos, frozen, config.mixture, cache=cache, device=device)
    flow = inverse_search.build(inverse_search.Config())

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([config.schedule.seed, epoch])
        for images, labels in sequences.batches(
            sources,
            config.sequences,
            length=config.farthest + 1,
            batch=config.schedule.batch,
            steps=config.steps,
            seed=config.schedule.seed,
            epoch=epoch,
            device=device,
        ):
            length = int(rng.integers(config.farthest)) + 2
            images, labels = images[:, -length:], labels[:, -length:]
            is_carried_along_it = bool(rng.random() < config.solved)
            motion = solved_motion(images, flow)
            yield Batch(images=images, labels=labels, motion=motion, is_carried_along_it=is_carried_along_it)

    trained: Any = loop.fit(
        _hyperparameters(config, len(taxonomy)).build(),
        batches,
        lambda model, batch: loss(model, frozen, batch, weights, config),  # type: ignore[arg-type]
        config.schedule,
        steps_per_epoch=config.steps,
        checkpoint=checkpoint,
        device=device,
    )
    return trained


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
        ``mean_iou`` of a keyframe every fourth picture along the learned flow, the network's own as ``per_frame``, and
        for both flows ``by_interval``, as ``evaluation.Score`` gives them.
    """
    segmenter = request.check("gsvnet", out, base, imagenet_weights)
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, base=base, videos=videos, checkpoint=checkpoint, device=device)
    metadata = {
        "network": "gsvnet",
        "base": segmenter.digest,
        "taxonomy": json.dumps(segmenter.taxonomy.to_dict()),
        **_hyperparameters(config, len(segmenter.taxonomy)).to_metadata(),
    }
    stored.save(network, out, metadata)
    checkpoint.unlink()
    return measure(data, [f"segmenter.weights={base}"], [f"method.weights={out}"])


def measure(data: Path, base: Sequence[str], method: Sequence[str]) -> dict[str, Any]:
    """The report of ``run``, for overrides that choose the keyframe network and the method's weights."""
    drive = evaluation.load_drive(camvid.TAXONOMY, data)

    def reached(name: str, overrides: Sequence[str]) -> dict[str, Any]:
        point = points.load(name, overrides).resolved(has_cuda=False)
        inference = stages.build_inference(point, threads=torch.get_num_threads(), device="cpu")
        return evaluation.score(point, drive, inference).to_dict()

    by_interval = {
        flow: {str(every): reached(f"gsvnet-{every}", [*base, *method, f"method.flow={flow}"]) for every in INTERVALS}
        for flow in ("learned", "solved")
    }
    return {
        "mean_iou": by_interval["learned"][str(INTERVALS[-1])]["mean_iou"],
        "per_frame": reached("per_frame", base)["mean_iou"],
        "by_interval": by_interval,
    }


def _hyperparameters(config: Config, num_classes: int) -> Hyperparameters:
    return Hyperparameters(
        num_classes=num_classes,
        width=config.width,
        zero_plane=config.zero_plane,
        error_plane=config.error_plane,
        stride=config.stride,
        search=config.search,
    )
