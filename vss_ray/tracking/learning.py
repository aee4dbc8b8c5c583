"""The two models of one object, and what they learn from: a memory for masks, one for the instance's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vss_ray.networks import sample_memory
from vss_ray.networks.few_shot import fit_instance, fit_segmentation, gaussian
from vss_ray.networks.rts import SIGMA, Features
from vss_ray.networks.sample_memory import SampleMemory
from vss_ray.tracking.network import Network


@dataclass(frozen=True)
class Config:
    """When and how long to learn; the paper's numbers are in brackets."""

    masks: sample_memory.Config = field(
        default_factory=lambda: sample_memory.Config(slots=16, rate=0.1, first_minimum=0.25)
    )
    """[32 slots]"""
    instances: sample_memory.Config = field(default_factory=lambda: sample_memory.Config(slots=25, rate=0.01))
    """[50 slots]"""
    first_steps: int = 20
    """Of the segmentation model on the first frame."""
    first_instance_steps: int = 10
    steps: int = 3
    """Of the segmentation model, whenever it learns again."""
    instance_steps: int = 2
    every: int = 8
    """Frames from one time to the next. [20]"""
    burn_in: int = 8
    """First frames, all of which are learned from at once. [100]"""
    keep_every: int = 2
    """Frames from one that is kept to the next, after the burn-in. [1]"""
    root_weights: bool = True
    """Weights of samples count once, as in training; else inside the square, as in the authors' code, where with a full
    memory little is left of the data beside the regularization."""

    def is_due(self, age: int) -> bool:
        """Whether models learn on frame ``age`` after their first, from 1."""
        return age <= self.burn_in or age % self.every == 0

    def is_kept(self, age: int) -> bool:
        """Whether frame ``age`` may go into the memories."""
        return age <= self.burn_in or age % self.keep_every == 0


class Models:
    """Of one object.

    Args:
        masks: (D, C, 3, 3), the segmentation model.
        instance: (1, C, 4, 4), the instance model.
        mask_memory: Of ``features`` (C, h, w), ``label`` and ``importance`` (D, h, w).
        instance_memory: Of ``features`` (C, h, w) and ``center`` (2,), a row and a column of the scores.
    """

    def __init__(
        self, masks: Tensor, instance: Tensor, mask_memory: SampleMemory, instance_memory: SampleMemory
    ) -> None:
        self.masks, self.instance = masks, instance
        self.mask_memory, self.instance_memory = mask_memory, instance_memory

    def keep_mask(self, features: Tensor, label: Tensor, importance: Tensor) -> None:
        """Remember a frame for the segmentation model."""
        self.mask_memory.write({"features": features, "label": label, "importance": importance})

    def keep_instance(self, features: Tensor, center: Tensor) -> None:
        """Remember a frame for the instance model."""
        self.instance_memory.write({"features": features, "center": center})

    def state(self, *, whole: bool) -> dict[str, Tensor]:
        """As tensors; without ``whole`` of the memories only what began them, for a fifteenth of the bytes."""
        memories = {"mask_memory": self.mask_memory, "instance_memory": self.instance_memory}
        parts = {
            f"{name}.{key}": value
            for name, memory in memories.items()
            for key, value in (memory if whole else memory.first()).state().items()
        }
        return {"masks": self.masks, "instance": self.instance, **parts}

    @classmethod
    def restored(cls, config: Config, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """What ``state`` gave."""
        memories = []
        for name, rules in (("mask_memory", config.masks), ("instance_memory", config.instances)):
            own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
            memories.append(SampleMemory.restored(rules, own, device))
        return cls(state["masks"].to(device), state["instance"].to(device), *memories)


def begin(
    network: Network, config: Config, features: Features, mask: NDArray[np.float32], boxes: NDArray[np.float32]
) -> Models:
    """Models of an object that is known on one frame.

    Args:
        network: Ready to run.
        config: Rules.
        features: Of that frame's crop, and behind it of the same, mirrored and blurred, for the instance alone.
        mask: (h, w) in the crop.
        boxes: (B, 4) of the object in each of these pictures, pixels of the crop.
    """
    label, importance = (each.clone() for each in network.encode(mask[None]))
    rts, own = network.rts, features.mask[:1]
    weights = torch.ones(1, 1, device=own.device)
    masks = fit_segmentation(
        rts.first_mask_model(1),
        own[None].float(),
        label[None].float(),
        importance[None].float(),
        weights,
        rts.regularization,
        config.first_steps,
    )
    places = torch.from_numpy(boxes).to(own.device)
    centers = (places[:, [1, 0]] + places[:, [3, 2]]) / (2 * rts.config.instance_stride)
    instances = features.instance.float()
    instance_memory = SampleMemory(config.instances, {"features": instances, "center": centers})
    begun = rts.first_instance_model(instances[None], places[None])
    labels = gaussian(centers, score_size(instances), SIGMA)
    equal = instance_memory.weights[None].to(own.device)
    instance = fit_instance(begun, instances[None], labels[None], equal, config.first_instance_steps)[-1]
    mask_memory = SampleMemory(config.masks, {"features": own, "label": label, "importance": importance})
    return Models(masks[0], instance[0], mask_memory, instance_memory)


def learn(network: Network, config: Config, models: Sequence[Models]) -> None:
    """Let the models of several objects learn from their memories, side by side."""
    if not models:
        return
    samples = {
        name: _padded([each.mask_memory.read(name) for each in models]) for name in ("features", "label", "importance")
    }
    weights = _padded([each.mask_memory.weights.to(network.device) for each in models])
    masks = fit_segmentation(
        torch.stack([each.masks for each in models]),
        samples["features"],
        samples["label"],
        samples["importance"],
        weights.sqrt() if config.root_weights else weights,
        network.rts.regularization,
        config.steps,
    )
    features = _padded([each.instance_memory.read("features") for each in models])
    centers = _padded([each.instance_memory.read("center") for each in models])
    instances = fit_instance(
        torch.stack([each.instance for each in models]),
        features,
        gaussian(centers, score_size(features), SIGMA),
        _padded([each.instance_memory.weights.to(network.device) for each in models]),
        config.instance_steps,
    )[-1]
    for each, mask_model, instance in zip(models, masks, instances, strict=True):
        each.masks, each.instance = mask_model, instance


def score_size(features: Tensor) -> tuple[int, int]:
    """Rows and columns of the scores on ``features`` (..., h, w)."""
    return features.shape[-2] + 1, features.shape[-1] + 1


def _padded(tensors: Sequence[Tensor]) -> Tensor:
    """(B, N, ...) of (n, ...) each, zeros behind those of fewer."""
    longest = max(len(each) for each in tensors)
    return torch.stack(
        [torch.cat([t, t.new_zeros(longest - len(t), *t.shape[1:])]) if len(t) < longest else t for t in tensors]
    )
