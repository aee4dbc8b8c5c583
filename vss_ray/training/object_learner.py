"""What learns in RTS: one object followed through a short sequence, and the losses of each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.errors import ConfigError
from vss_ray.networks import rts
from vss_ray.networks.few_shot import correlate, fit_instance, fit_segmentation, gaussian
from vss_ray.networks.rts import Features, Rts
from vss_ray.training import composites, loop, object_sequences
from vss_ray.training.object_losses import lb_hinge, lovasz_foreground
from vss_ray.training.object_sequences import Batch

Stage = Literal["segmentation", "instance", "fusion"]
MASK_PARTS = ("mask_feature", "label_encoder", "decoder", "regularization")
INSTANCE_PARTS = ("instance_feature", "initializer")
PARTS: dict[Stage, tuple[str, ...]] = {
    "segmentation": MASK_PARTS,
    "instance": INSTANCE_PARTS,
    "fusion": (*MASK_PARTS, *INSTANCE_PARTS, "score_encoder"),
}
"""What learns in a stage, by the first part of its name."""


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
