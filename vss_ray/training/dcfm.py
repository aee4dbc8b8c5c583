"""Recipe of DCFM: two pictures of a scene, each labelled from its own deep features and from the other's.

Zheng, Yang, Huang, IEEE TCSVT 2024, section 3.3: cross-entropy as keyframe and as non-keyframe, and a consistency loss
that draws the fused features of the two together where they agree on the class. Both pictures have labels here, so each
is trained on in both roles. In the paper the segmentation network learns with the rest; ``frozen`` leaves it as it is,
so that the fusion belongs to a network that is there already, and ``align`` carries the other's deep features along the
motion, as ``methods.dcfm`` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from vss_ray import config as points
from vss_ray import evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.inference.warping import warp_features
from vss_ray.networks import stored
from vss_ray.networks.dcfm import Dcfm, decoded, independent, unit
from vss_ray.segmenters import builtin
from vss_ray.training import loop, losses, mixture, motion, recipes, request, sequences

INTERVALS = (1, 2, 6)
"""Keyframe distances that the report measures."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schedule: loop.Config = field(
        default_factory=lambda: loop.Config(epochs=3, batch=4, learning_rate=1e-4, pretrained_factor=0.15, ema=0.99)
    )
    """``batch`` counts pairs; ``pretrained_factor`` holds for the whole segmentation network."""
    frozen: bool = True
    """Train the fusion alone; False trains the segmentation network too, as published, and writes it beside."""
    align: bool = True
    """Carry the other picture's deep features along the motion; False takes them where they are, as published."""
    steps: int = 100
    """Batches of an epoch."""
    sequences: sequences.Config = field(default_factory=lambda: sequences.Config(distances=(1, 2, 3, 4)))
    mixture: mixture.Config = field(default_factory=mixture.Config)
    head_layers: int = 0
    """See ``networks.dcfm.Fusion``."""
    labels: float = 0.0
    """Weight of the cross-entropy with labels: 1 as published, which a frozen network suffers from. It knows the stills
    by heart, so that features of the training set are better than any it meets in use."""
    distillation: float = 1.0
    """Weight of the divergence from what the network itself says of the picture, which needs no labels."""
    non_key: float = 0.4
    """Weight of the loss with the other picture's deep features."""
    consistency: float = 10.0
    """Weight of the consistency of fused features."""
    plain: float = 0.2
    """Weight of the cross-entropy of the segmentation network's own head, which keeps it a network of its own where it
    is not frozen."""
    lovasz: float = 0.5
    """Weight of the Lovasz-softmax beside every cross-entropy but that one."""

    def __post_init__(self) -> None:
        if not self.frozen and self.distillation:
            raise ValueError("a network that learns cannot be its own teacher: frozen: false wants distillation: 0")


def loss(
    model: Dcfm, images: Tensor, labels: Tensor, displacement: Tensor | None, weights: Tensor, config: Config
) -> dict[str, Tensor]:
    """Equation 12, with either picture of a pair as the labelled one, as ``loss``; and its terms.

    Args:
        model: In training.
        images: (B, 2, 3, H, W), ImageNet-normalized.
        labels: (B, 2, H, W); 255 counts for nothing.
        displacement: (B, 2, h, w, 2) from either picture to the other; None leaves the other's features in place.
        weights: (C,) of the classes.
        config: Weights of the terms.
    """
    pictures, truth = images.flatten(0, 1), labels.flatten(0, 1)
    with torch.set_grad_enabled(not config.frozen):
        deep = decoded(model.encoder, pictures)
        own = independent(model.encoder, pictures).contiguous(memory_format=torch.channels_last)
        common = unit(deep)
        others = common.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        if displacement is not None:
            others = warp_features(others, displacement.flatten(0, 1))
    fused = model.fusion.fuse(torch.cat([common, others]), torch.cat([own, own]))
    as_key, as_non_key = model.fusion.predict(fused).chunk(2)
    own_answer = model.encoder.head(deep)
    terms = {
        "key": _segmentation(as_key, own_answer, truth, weights, config),
        "non_key": _segmentation(as_non_key, own_answer, truth, weights, config),
    }
    total = terms["key"] + config.non_key * terms["non_key"]
    if displacement is None:
        pairs = fused.chunk(2)[0].unflatten(0, (-1, 2)), as_key.unflatten(0, (-1, 2))
    else:  # the pictures of a pair lie on different grids; what each is in either role does not
        pairs = torch.stack(fused.chunk(2), 1), torch.stack([as_key, as_non_key], 1)
    terms["inconsistency"] = inconsistency(*pairs)
    total = total + config.consistency * terms["inconsistency"]
    if not config.frozen:
        terms["plain"] = losses.upsampled_cross_entropy(own_answer, truth, weights)
        total = total + config.plain * terms["plain"]
    return {"loss": total, **terms}


def inconsistency(fused: Tensor, logits: Tensor) -> Tensor:
    """Mean square of what the fused features of a pair differ by, where both have one class; equations 10 and 11.

    Args:
        fused: (B, 2, c, h, w).
        logits: (B, 2, C, h, w), which say where that is.
    """
    classes = logits.detach().argmax(2)
    alike = (classes[:, 0] == classes[:, 1])[:, None]
    return ((fused[:, 0] - fused[:, 1]) * alike).square().mean()


def _segmentation(logits: Tensor, own_answer: Tensor, labels: Tensor, weights: Tensor, config: Config) -> Tensor:
    value = logits.new_zeros(())
    if config.distillation:
        value = value + config.distillation * losses.distillation_kl(logits, own_answer)
    if config.labels:
        value = value + config.labels * losses.upsampled_cross_entropy(logits, labels, weights)
        if config.lovasz:
            value = value + config.labels * config.lovasz * losses.lovasz_softmax(logits, labels)
    return value


def train(
    data: Path, config: Config, *, base: str, videos: Sequence[Path], checkpoint: Path, device: str = "cpu"
) -> Dcfm:
    """Train on the stills of ``data/train``, on rendered scenes and on ``videos``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: The segmentation network to start from, as ``segmenter.weights``.
        videos: Footage without labels; ``base`` is the teacher.
        checkpoint: See ``loop.fit``.
        device: ``cpu`` or ``cuda``.
    """
    torch.manual_seed(config.schedule.seed)
    network, taxonomy = builtin.load_network(builtin.Config(weights=base))
    weights = losses.class_weights(camvid.count_pixels(data)[: len(taxonomy)]).to(device)
    cache = checkpoint.parent / "teacher"
    sources = mixture.sources(data, videos, network, config.mixture, cache=cache, device=device)
    model = Dcfm(network, config.head_layers)
    model.encoder.requires_grad_(not config.frozen)

    def batches(epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
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
        for images, labels in pairs:
            yield images, labels, motion.between(images) if config.align else None

    images, *_ = next(batches(0))
    model.to(device).begin(images.flatten(0, 1))
    trained: Any = loop.fit(
        model,
        batches,
        lambda network, batch: loss(network, *batch, weights, config),  # type: ignore[arg-type]
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

    A segmentation network that was trained too is written beside ``out``, see ``base_path``.

    Returns:
        ``mean_iou`` of a keyframe every second picture, the trained network's own as ``per_frame``, the network's
        before the training as ``base``, and ``by_interval`` as ``evaluation.Score`` gives them.
    """
    taxonomy = request.check("dcfm", out, base, imagenet_weights).taxonomy
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    model = train(data, config, base=base, videos=videos, checkpoint=checkpoint, device=device)
    segmenter = base
    if not config.frozen:
        segmenter = str(base_path(out))
        # An encoder's name is that of its module.
        encoder = type(model.encoder.encoder).__module__.rpartition(".")[2]
        builtin.save_weights(model.encoder, base_path(out), taxonomy, encoder=encoder)
    metadata = {
        "network": "dcfm",
        "base": builtin.describe(builtin.Config(weights=segmenter)).digest,
        "taxonomy": json.dumps(taxonomy.to_dict()),
        "head_layers": str(config.head_layers),
    }
    stored.save(model.fusion, out, metadata)
    checkpoint.unlink()
    options = [f"segmenter.weights={segmenter}", f"method.weights={out}", f"method.align={json.dumps(config.align)}"]
    return {**measure(data, options), "base": _reached(data, "per_frame", [f"segmenter.weights={base}"])["mean_iou"]}


def base_path(out: Path) -> Path:
    """Where the segmentation network of ``out`` lies."""
    return out.with_name(f"{out.stem}_base{out.suffix}")


def measure(data: Path, weights: Sequence[str]) -> dict[str, Any]:
    """The report of ``run``, for overrides that choose the segmentation network's and the method's weights."""
    by_interval = {str(every): _reached(data, f"dcfm-{every}", weights) for every in INTERVALS}
    per_frame = _reached(data, "per_frame", [option for option in weights if option.startswith("segmenter.")])
    return {"mean_iou": by_interval["2"]["mean_iou"], "per_frame": per_frame["mean_iou"], "by_interval": by_interval}


def _reached(data: Path, name: str, overrides: Sequence[str]) -> dict[str, Any]:
    point = points.load(name, overrides).resolved(has_cuda=False)
    inference = stages.build_inference(point, threads=torch.get_num_threads(), device="cpu")
    return evaluation.score(point, evaluation.load_drive(camvid.TAXONOMY, data), inference).to_dict()
