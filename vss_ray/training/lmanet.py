"""Recipe of LMANet: a frozen network's features, other frames of the sequence as memory, first without its decoder.

Paul et al., IROS 2021, section IV: step one trains keys, values and fusion alone, step two the decoder with them. Added
here: memories of every length, from both sides; pictures that are made worse, each in its own way, since on stills that
it has learned by heart the network needs no memory; and a loss on the attention itself, which has to find cells of the
same class.

Keys start as principal components of the features. By default that is all: no step is trained. Of real drives with
labels there is none to learn from, on stills that it knows by heart the network cannot see what a memory is good for,
and what is learned from rendered streets is of no use elsewhere (configs/README.md has the figures).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray import config as points
from vss_ray import engines, evaluation, stages
from vss_ray.datasets import camvid
from vss_ray.engines import Execution, Graph
from vss_ray.metrics.confusion import VOID
from vss_ray.networks import halves, lmanet, stored
from vss_ray.segmenters import builtin
from vss_ray.training import loop, losses, mixture, recipes, request, sequences

CELL = 8
"""Pixels of a cell of the features."""
BEGINNING = 8
"""Batches that keys begin with."""
SMALLEST_SHARE = 1e-3
"""Of a class in what is read: bounds the loss on the attention."""


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """How pictures are made worse."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    share: float = 0.3
    """Share of the pictures."""
    noise: float = 0.2
    """Largest standard deviation of the noise, in units of the normalized picture."""
    blur: float = 2.0
    """Largest factor by which a picture is reduced and enlarged again."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with the defaults."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    network: lmanet.Config = field(default_factory=lmanet.Config)
    modules: loop.Config = field(default_factory=lambda: loop.Config(epochs=0, batch=6, learning_rate=3e-3, ema=0.97))
    """Step one: fusion, values, and keys where they learn."""
    learn_keys: bool = False
    joint: loop.Config = field(default_factory=lambda: loop.Config(epochs=0, batch=6, learning_rate=1e-4, ema=0.98))
    """Step two: the decoder with them."""
    steps: int = 20
    """Batches of an epoch."""
    memory: int = 3
    """Frames of the longest memory; shorter ones, down to one frame, come as often."""
    sequences: sequences.Config = field(default_factory=lambda: sequences.Config(distances=(1, 1, 2)))
    mixture: mixture.Config = field(default_factory=lambda: mixture.Config(stills=1.0, scenes=0.0, videos=0.0))
    degradation: Degradation = field(default_factory=Degradation)
    match: float = 0.3
    """Weight of the loss on the attention in step one, where keys learn."""
    lovasz: float = 0.5
    """Weight of the Lovasz-softmax."""


class Learner(nn.Module):
    """The network of the method, some of its parts at rest.

    Args:
        network: Trained in place.
        with_keys: Whether the convolutions of keys learn.
        with_decoder: Whether the decoder learns; its statistics stay as they are.
    """

    def __init__(self, network: lmanet.LmaNet, *, with_keys: bool, with_decoder: bool) -> None:
        super().__init__()
        self.network = network.requires_grad_(True)
        for keys in (network.query_key, network.memory_key):
            keys.requires_grad_(with_keys)
        network.decoder.requires_grad_(with_decoder)

    def train(self, mode: bool = True) -> Learner:
        """Normalization in the decoder keeps to the statistics of the network that it was copied from."""
        super().train(mode)
        self.network.decoder.eval()
        return self

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """See ``LmaNet.forward``."""
        return self.network(*inputs)


@dataclass(frozen=True)
class Example:
    """What a batch of sequences becomes; S memory frames."""

    features: Tensor
    """(B, width, h, w) of the picture."""
    memory: Tensor
    """(B, S, width, h, w)"""
    others: tuple[Tensor, ...]
    """What else the decoder takes of the picture, see ``Halves.front``."""
    labels: Tensor
    """(B, 8h, 8w)"""
    classes: Tensor
    """(B, 1 + S, h, w, C) share of every class in the cells of all of them, the picture first."""


def train(
    data: Path, config: Config, *, base: str, videos: Sequence[Path], checkpoint: Path, device: str = "cpu"
) -> lmanet.LmaNet:
    """Both steps, on the stills of ``data/train``, on rendered scenes and on ``videos``; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: The single-picture network, as ``segmenter.weights``; it stays as it is, and is the teacher of ``videos``.
        videos: Footage without labels.
        checkpoint: See ``loop.fit``; step one has one of its own beside it, see ``modules_checkpoint``.
        device: ``cpu`` or ``cuda``.
    """
    loaded, taxonomy = builtin.load_network(builtin.Config(weights=base))
    segmenter = loaded.eval().requires_grad_(False)
    parts = halves.cut(segmenter)
    pixels = camvid.count_pixels(data)
    weights = losses.class_weights(pixels[: len(taxonomy)]).to(device)
    cache = checkpoint.parent / "teacher"
    sources = mixture.sources(data, videos, segmenter, config.mixture, cache=cache, device=device)
    torch.manual_seed(config.modules.seed)
    network = lmanet.LmaNet(config.network, parts)
    # Frozen, the front can run as fast as it does in use.
    encode = engines.build_graph(Execution(), parts.front, threads=torch.get_num_threads(), device=device)

    def batches(epoch: int, schedule: loop.Config) -> Iterator[tuple[Tensor, Tensor]]:
        return sequences.batches(
            sources,
            config.sequences,
            length=config.memory + 1,
            batch=schedule.batch,
            steps=config.steps,
            seed=schedule.seed,
            epoch=epoch,
            device=device,
        )

    def loss(learner: nn.Module, batch: tuple[Tensor, Tensor], match: float) -> dict[str, Tensor]:
        made = example(encode, *batch, len(taxonomy), config.degradation)
        logits, found = learner(made.features, made.memory, made.others, made.classes[:, 1:])
        terms = {
            "cross_entropy": losses.upsampled_cross_entropy(logits, made.labels, weights),
            "lovasz": losses.lovasz_softmax(logits, made.labels),
            "match": mismatch(found, made.classes[:, 0]),
        }
        return {"loss": terms["cross_entropy"] + config.lovasz * terms["lovasz"] + match * terms["match"], **terms}

    match = config.match if config.learn_keys else 0.0
    steps = ((config.modules, match, modules_checkpoint(checkpoint)), (config.joint, 0.0, checkpoint))
    with torch.no_grad():
        first = [encode(images[:, 0])[0].cpu() for images, _ in islice(batches(0, config.modules), BEGINNING)]
    network.begin(torch.cat(first))
    for number, (schedule, match, path) in enumerate(steps):
        if not schedule.epochs:
            continue
        learner: Any = loop.fit(
            Learner(network, with_keys=config.learn_keys, with_decoder=number == 1),
            partial(batches, schedule=schedule),
            partial(loss, match=match),
            schedule,
            steps_per_epoch=config.steps,
            checkpoint=path,
            device=device,
        )
        network = learner.network
    return network.eval()


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
        ``mean_iou`` with a memory of past and future frames, the network's own as ``per_frame``, and ``by_memory`` as
        ``evaluation.Score`` gives them.
    """
    description = request.check("lmanet", out, base, imagenet_weights)
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, base=base, videos=videos, checkpoint=checkpoint, device=device)
    metadata = {
        "network": "lmanet",
        "base": description.digest,
        "taxonomy": json.dumps(description.taxonomy.to_dict()),
        "config": json.dumps(asdict(config.network)),
    }
    stored.save(network, out, metadata)
    for path in (checkpoint, modules_checkpoint(checkpoint)):
        path.unlink(missing_ok=True)
    return measure(data, [f"segmenter.weights={base}"], [f"method.weights={out}"])


def measure(data: Path, base: Sequence[str], method: Sequence[str]) -> dict[str, Any]:
    """The report of ``run``, for overrides that choose the single-picture network and the method's weights."""
    drive = evaluation.load_drive(camvid.TAXONOMY, data)

    def reached(name: str, overrides: Sequence[str]) -> dict[str, Any]:
        point = points.load(name, overrides).resolved(has_cuda=False)
        inference = stages.build_inference(point, threads=torch.get_num_threads(), device="cpu")
        return evaluation.score(point, drive, inference).to_dict()

    by_memory = {
        memory: reached("lmanet", [*base, *method, f"method.memory={memory}", *options])
        for memory, options in (("past", ["method.frames=3", "method.stride=1"]), ("both", []))
    }
    return {
        "mean_iou": by_memory["both"]["mean_iou"],
        "per_frame": reached("per_frame", base)["mean_iou"],
        "by_memory": by_memory,
    }


def modules_checkpoint(checkpoint: Path) -> Path:
    """Where step one keeps its state."""
    return checkpoint.with_name(f"{checkpoint.stem}_modules{checkpoint.suffix}")


def example(encode: Graph, images: Tensor, labels: Tensor, num_classes: int, degradation: Degradation) -> Example:
    """One frame of every sequence becomes the picture, some of those nearest to it its memory; drawn once a batch.

    Args:
        encode: See ``Halves.front``.
        images: (B, T, 3, H, W).
        labels: (B, T, H, W).
        num_classes: C.
        degradation: Of every picture.
    """
    length = images.shape[1]
    here = int(torch.randint(length, ()))
    others = sorted((i for i in range(length) if i != here), key=lambda i: abs(i - here))
    chosen = [here, *others[: int(torch.randint(1, length, ()))]]
    images, labels = images[:, chosen], labels[:, chosen]
    with torch.no_grad():
        pictures = degraded(images.flatten(0, 1), degradation)
        features, *asides = (each.unflatten(0, images.shape[:2]) for each in encode(pictures))
        classes = class_shares(labels.flatten(0, 1), num_classes).unflatten(0, labels.shape[:2])
    # Out of inference mode, if the engine left them there.
    features, beside = features.clone(), tuple(each[:, 0].clone() for each in asides)
    return Example(features[:, 0], features[:, 1:], beside, labels[:, 0], classes)


def degraded(images: Tensor, config: Degradation) -> Tensor:
    """Normalized pictures (N, 3, H, W), some of them blurred and noisy; decided by torch's own generator."""
    results = []
    for image in images:
        if torch.rand(()) < config.share:
            factor = 1 + (config.blur - 1) * float(torch.rand(()))
            small = [max(1, round(side / factor)) for side in image.shape[1:]]
            reduced = F.interpolate(image[None], small, mode="bilinear", align_corners=False, antialias=True)
            image = F.interpolate(reduced, image.shape[1:], mode="bilinear", align_corners=False)[0]
            image = image + config.noise * float(torch.rand(())) * torch.randn(image.shape).to(image)
        results.append(image)
    return torch.stack(results)


def class_shares(labels: Tensor, num_classes: int) -> Tensor:
    """Share of every class in every cell: (N, H/8, W/8, C) of labels (N, H, W); void is none."""
    known = torch.where(labels == VOID, num_classes, labels)
    shares = F.avg_pool2d(F.one_hot(known, num_classes + 1).permute(0, 3, 1, 2).float(), CELL)
    return shares[:, :-1].permute(0, 2, 3, 1)


def mismatch(found: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of the classes that were read (B, h, w, C) with those of the cells (B, h, w, C)."""
    return -(wanted * (found + SMALLEST_SHARE).log()).sum() / wanted.sum().clamp(min=1)
