"""Recipe of RTS: sequences in which one object is followed, learned in the order that converges.

Paul et al., ECCV 2022, section 4 and the authors' code. First the branch that makes masks, alone; then the instance
branch, which needs no decoder; then both, with the scores of the instance fed into the decoder. The first frame's mask
is given; the masks of further frames, from which the model learns on, are the network's own and carry no gradient.

Differs from what was published: the encoder is frozen, crops are smaller, cross-entropy stands beside the Lovasz loss,
and sequences are made of stills and rendered streets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray import engines
from vss_ray.datasets import camvid
from vss_ray.engines import Execution
from vss_ray.errors import ConfigError
from vss_ray.networks import rts, stored
from vss_ray.networks.few_shot import correlate, fit_instance, fit_segmentation, gaussian
from vss_ray.networks.rts import Features, Rts
from vss_ray.segmenters import builtin
from vss_ray.training import composites, imagenet, loop, object_sequences, recipes
from vss_ray.training.composites import Composites
from vss_ray.training.object_losses import lb_hinge, lovasz_foreground
from vss_ray.training.object_sequences import Batch, Source
from vss_ray.training.rendered import Scenes

Stage = Literal["segmentation", "instance", "fusion"]
MASK_PARTS = ("mask_feature", "label_encoder", "decoder", "regularization")
INSTANCE_PARTS = ("instance_feature", "initializer")
PARTS: dict[Stage, tuple[str, ...]] = {
    "segmentation": MASK_PARTS,
    "instance": INSTANCE_PARTS,
    "fusion": (*MASK_PARTS, *INSTANCE_PARTS, "score_encoder"),
}
"""What learns in a stage, by the first part of its name."""


MEASURED = 60
"""Sequences of the report."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The recipe; the package's weights were made with that of configs/train/rts.yaml."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    network: rts.Config = field(default_factory=rts.Config)
    segmentation: loop.Config = field(
        default_factory=lambda: loop.Config(epochs=10, batch=4, learning_rate=1e-3, ema=0.99)
    )
    instance: loop.Config = field(default_factory=lambda: loop.Config(epochs=4, batch=4, learning_rate=1e-3, ema=0.99))
    fusion: loop.Config = field(default_factory=lambda: loop.Config(epochs=6, batch=4, learning_rate=4e-4, ema=0.99))
    """The three stages; ``batch`` counts sequences."""
    steps: int = 100
    """Batches of an epoch."""
    length: int = 4
    """Frames of a sequence; the first one's mask is given."""
    first_steps: int = 5
    """Of the descent on the first frame, both models."""
    later_steps: int = 2
    """Of the segmentation model's after every further frame."""
    lovasz: float = 1.0
    cross_entropy: float = 0.5
    hinge: float = 10.0
    """Weights of the losses: on masks, on masks, on the instance's scores."""
    stills: float = 0.75
    scenes: float = 0.25
    """Shares of the sequences."""
    num_scenes: int = 12
    """Streets that are rendered."""
    composite: composites.Config = field(default_factory=composites.Config)
    sequences: object_sequences.Config = field(default_factory=object_sequences.Config)

    def __post_init__(self) -> None:
        if self.length < 2 or self.stills + self.scenes <= 0:
            raise ConfigError(
                f"rts: length {self.length}, stills {self.stills}, scenes {self.scenes}; "
                "wanted 2 frames or more, and a source with a share"
            )


class Learner(nn.Module):
    """The network in one stage; what does not learn is at rest, and no statistics move."""

    def __init__(self, network: Rts, stage: Stage, config: Config) -> None:
        super().__init__()
        self.network, self.stage, self.config = network, stage, config
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.split(".")[0] in PARTS[stage])

    def train(self, mode: bool = True) -> Learner:
        """No statistics move: only the encoder has some, and it is at rest."""
        return super().train(False)

    def forward(self, batch: Batch, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
        """``loss`` and its parts; ``pyramid`` is what the encoder gives for (B T) pictures."""
        # The fit is solved in full precision; the rest follows, for it is small.
        with torch.autocast(batch.images.device.type, enabled=False):
            features = self.network.heads(pyramid)
            terms, scores = {}, None
            if self.stage != "segmentation":
                terms["hinge"], scores = self._instance(features, batch)
            if self.stage != "instance":
                answers = self._masks(features, batch, scores if self.stage == "fusion" else None).flatten(0, 1)
                masks = smaller(batch.masks[:, 1:, 0]).flatten(0, 1)
                terms["lovasz"] = lovasz_foreground(answers.sigmoid(), masks)
                terms["cross_entropy"] = F.binary_cross_entropy_with_logits(answers, masks)
        weights = {"lovasz": self.config.lovasz, "cross_entropy": self.config.cross_entropy, "hinge": self.config.hinge}
        return {"loss": torch.stack([weights[name] * term for name, term in terms.items()]).sum(), **terms}

    @torch.inference_mode()
    def overlaps(self, batch: Batch, pyramid: Sequence[Tensor]) -> Tensor:
        """J (B, T - 1) of the masks of all frames but the first; 1 where there is none and none is seen."""
        features = self.network.heads(pyramid)
        scores = self._instance(features, batch)[1] if self.stage == "fusion" else None
        answers = self._masks(features, batch, scores) > 0
        masks = smaller(batch.masks[:, 1:, 0]) > 0
        union = (answers | masks).sum((2, 3))
        return torch.where(union > 0, (answers & masks).sum((2, 3)) / union.clamp(min=1), 1.0)

    def _instance(self, features: Features, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss of all iterates, and the last one's scores (B, T, 1, h + 1, w + 1)."""
        instance = features.instance.unflatten(0, batch.boxes.shape[:2])
        labels = instance_labels(batch.boxes, instance.shape[-2:], self.network.config.instance_stride)
        begun = self.network.first_instance_model(instance[:, :1], batch.boxes[:, :1])
        weights = torch.ones_like(batch.boxes[:, :1, 0])
        models = fit_instance(begun, instance[:, :1], labels[:, :1], weights, self.config.first_steps)
        scores = [correlate(instance, model) for model in models]
        losses = [lb_hinge(each[:, 1:], labels[:, 1:]) for each in scores]
        between = torch.stack(losses[1:-1]).mean() if len(losses) > 2 else losses[0] * 0
        # As weighed by the authors: first, last, and all between them together four times as much.
        return (losses[0] + losses[-1] + 4 * between) / 6, scores[-1]

    def _masks(self, features: Features, batch: Batch, scores: Tensor | None) -> Tensor:
        """Logits (B, T - 1, h/2, w/2) of the masks of all frames but the first."""
        network, config = self.network, self.config
        count, length = batch.masks.shape[:2]
        mask_features = features.mask.unflatten(0, (count, length))
        reduced = [level.unflatten(0, (count, length)) for level in features.reduced]
        label, importance = (each[:, None] for each in network.label_encoder(batch.masks[:, 0]))
        samples, targets, counts = mask_features[:, :1], label, importance
        model = network.first_mask_model(count)
        logits = []
        for frame in range(1, length):
            weights = torch.full(samples.shape[:2], samples.shape[1] ** -0.5, device=samples.device)
            steps = config.first_steps if frame == 1 else config.later_steps
            model = fit_segmentation(model, samples, targets, counts, weights, network.regularization, steps)
            encoding = network.encoding(model, mask_features[:, frame])
            own = None if scores is None else scores[:, frame]
            logits.append(network.decode(encoding, own, [level[:, frame] for level in reduced]))
            height, width = batch.masks.shape[-2:]
            seen = rts.resized(logits[-1].detach().sigmoid(), (height, width))
            label, importance = (each[:, None] for each in network.label_encoder(seen))
            samples = torch.cat([samples, mask_features[:, frame : frame + 1]], 1)
            targets, counts = torch.cat([targets, label], 1), torch.cat([counts, importance], 1)
        return torch.stack(logits, 1)[:, :, 0]


class Encoder(nn.Module):
    """The part of the network that is at rest, on its own."""

    def __init__(self, network: Rts) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """See ``Rts.encode``."""
        return self.network.encode(pictures)


def smaller(masks: Tensor) -> Tensor:
    """Masks (B, T, h, w) of 0 and 1 at half the size, as logits are."""
    return (F.avg_pool2d(masks, 2) >= 0.5).float()


def instance_labels(boxes: Tensor, size: torch.Size, stride: int) -> Tensor:
    """(B, T, 1, h + 1, w + 1): peaks at the middles of boxes (B, T, 4); without a box, no peak."""
    rows, columns = size[0] + 1, size[1] + 1
    centers = torch.stack([boxes[..., 1] + boxes[..., 3], boxes[..., 0] + boxes[..., 2]], -1) / (2 * stride)
    return gaussian(centers, (rows, columns), rts.SIGMA).nan_to_num(0.0)


def train(
    data: Path, config: Config, *, base: str, imagenet_weights: Path | None, checkpoint: Path, device: str = "cpu"
) -> Rts:
    """All three stages, on the stills of ``data/train`` and on rendered streets; never sees ``data/val``.

    Args:
        data: CamVid in the SegNet layout.
        config: Recipe.
        base: A keyframe network whose encoder is taken where there are no ``imagenet_weights``.
        imagenet_weights: Public weights of the encoder.
        checkpoint: See ``loop.fit``; every stage has one of its own beside it, see ``stage_checkpoint``.
        device: ``cpu`` or ``cuda``.
    """
    torch.manual_seed(config.segmentation.seed)
    network = rts.Rts(config.network, _encoder(config.network.encoder, base, imagenet_weights))
    sources: list[tuple[Source, float]] = []
    if config.stills:
        sources.append((Composites(camvid.stills(data, "train"), config.composite), config.stills))
    if config.scenes:
        sources.append((Scenes(config.num_scenes, height=480, width=800, instances=True), config.scenes))

    # Frozen, the encoder can run as fast as it does in use.
    encode = engines.build_graph(Execution(), Encoder(network), threads=torch.get_num_threads(), device=device)

    def loss(learner: nn.Module, batch: Batch) -> dict[str, Tensor]:
        # Out of inference mode, if the engine left them there.
        return learner(batch, [level.float().clone() for level in encode(batch.images.flatten(0, 1))])

    def batches(epoch: int, schedule: loop.Config) -> Iterator[Batch]:
        return object_sequences.batches(
            sources,
            config.sequences,
            length=config.length,
            batch=schedule.batch,
            steps=config.steps,
            seed=schedule.seed,
            epoch=epoch,
            device=device,
        )

    schedules: dict[Stage, loop.Config] = {
        "segmentation": config.segmentation,
        "instance": config.instance,
        "fusion": config.fusion,
    }
    for stage, schedule in schedules.items():
        if schedule.epochs:
            learner: Any = loop.fit(
                Learner(network, stage, config),
                partial(batches, schedule=schedule),
                loss,
                schedule,
                steps_per_epoch=config.steps,
                checkpoint=stage_checkpoint(checkpoint, stage),
                device=device,
            )
            network = learner.network
    return network.eval().requires_grad_(False)


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
    """Train and write ``out``; see ``training.Run``. ``videos`` are of no use here.

    Returns:
        ``j_mean``: overlap of masks in sequences made of the stills of ``data/val``, and ``j_without_scores``: the same
        with the instance's scores left out of the decoder.
    """
    if out.suffix != stored.SUFFIX:
        raise ConfigError(f"--out {out}: wanted a file that ends in {stored.SUFFIX}")
    config = recipes.build(Config, recipe or {}, overrides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checkpoint = out.with_suffix(".checkpoint")
    network = train(data, config, base=base, imagenet_weights=imagenet_weights, checkpoint=checkpoint, device=device)
    stored.save(network, out, {"network": "rts", "config": json.dumps(asdict(config.network))})
    for stage in PARTS:
        stage_checkpoint(checkpoint, stage).unlink(missing_ok=True)
    return measure(data, network.to("cpu"), config)


def measure(data: Path, network: Rts, config: Config) -> dict[str, float]:
    """The report of ``run``."""
    sequences = object_sequences.batches(
        [(Composites(camvid.stills(data, "val"), config.composite), 1.0)],
        config.sequences,
        length=config.length,
        batch=1,
        steps=MEASURED,
        seed=config.fusion.seed,
        epoch=0,
        device="cpu",
    )
    learners = {
        "j_mean": Learner(network, "fusion", config),
        "j_without_scores": Learner(network, "segmentation", config),
    }
    reached: dict[str, list[float]] = {name: [] for name in learners}
    for batch in sequences:
        with torch.inference_mode():
            pyramid = network.encode(batch.images.flatten(0, 1))
        for name, learner in learners.items():
            reached[name].append(float(learner.overlaps(batch, pyramid).mean()))
    return {name: sum(values) / len(values) for name, values in reached.items()}


def stage_checkpoint(checkpoint: Path, stage: Stage) -> Path:
    """Where a stage keeps its state."""
    return checkpoint.with_name(f"{checkpoint.stem}_{stage}{checkpoint.suffix}")


def _encoder(name: str, base: str, imagenet_weights: Path | None) -> nn.Module:
    encoder = rts.ENCODERS[name]()
    if imagenet_weights is not None:
        imagenet.load(encoder, imagenet_weights)
        return encoder
    network: Any = builtin.load_network(builtin.Config(weights=base))[0]
    if type(getattr(network, "encoder", None)) is not type(encoder):
        raise ConfigError(f"rts: {base} has another encoder than {name}; give --imagenet, or another --base")
    return network.encoder
