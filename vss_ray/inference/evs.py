"""The second stage of EVS with its refiner: the network on keyframes, and parts of it on pictures in between.

Refiner (thesis section 3.4): shallow features of the picture itself, deep features of the keyframe, carried along the
flow from source to source and never computed anew between keyframes. Any network with ``shallow``, ``deep`` and
``join`` can be split so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from vss_ray.errors import ModelError
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.inference.batches import collected, fetched, in_batches
from vss_ray.inference.warping import warp_features
from vss_ray.networks import stored
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import Normalized, probabilities

if TYPE_CHECKING:
    from vss_ray.methods.evs import Config


class Key(nn.Module):
    """A keyframe's probabilities and its deep features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.normalized = network, Normalized(network.mean, network.std)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h/s, w/s, C) float16 and (B, c, h', w') float16 of ``pixels`` (B, h, w, 3) uint8."""
        network = self.network
        shallow = network.shallow(self.normalized(pixels))  # type: ignore[operator]
        deep = network.deep(shallow)  # type: ignore[operator]
        return probabilities(network.join(shallow, deep)), deep.half()  # type: ignore[operator]


class Refiner(nn.Module):
    """Probabilities of a picture from its own shallow features and carried deep ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.normalized = network, Normalized(network.mean, network.std)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor, deep: Tensor) -> Tensor:
        """(B, h/s, w/s, C) float16 of ``pixels`` (B, h, w, 3) uint8 and ``deep`` (B, c, h', w')."""
        network = self.network
        shallow = network.shallow(self.normalized(pixels))  # type: ignore[operator]
        return probabilities(network.join(shallow, deep.float()))  # type: ignore[operator]


class Refining:
    """Scores of keyframes and of refined pictures; refined pictures of all clips advance together, step by step."""

    def __init__(self, config: Config, base: Base) -> None:
        missing = [part for part in ("shallow", "deep", "join") if not hasattr(base.network, part)]
        if missing:
            raise ModelError(
                f"method.refine_every: {type(base.network).__name__} cannot be split into shallow and deep features "
                f"(it lacks {', '.join(missing)}); wanted swiftnet or icnet, or refine_every: 0"
            )
        self.taxonomy = base.taxonomy
        self._in_batches = partial(in_batches, batch=base.batch, device=base.device)
        self._refiner = base.compile(Refiner(refining_network(config, base)))
        self._key = base.compile(embedded(Key(base.network), base.network))

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``; adds ``refined`` (r, h/s, w/s, C)."""
        keys = self._in_batches(self._key, [[pixels] for clip in clips for pixels in clip.pixels])
        places = [(i, int(picture)) for i, clip in enumerate(clips) for picture in clip.network_pictures]
        deep = {place: features for place, (_, features, *_) in zip(places, keys, strict=True)}
        answers = iter(keys)
        refined: dict[tuple[int, int], Tensor] = {}
        waiting = [(i, r) for i, clip in enumerate(clips) for r in range(len(clip.motion["refined"]))]
        while waiting:
            # Those whose source is known; the source of a refined picture may itself be one.
            ready = [(i, r) for i, r in waiting if (i, self._source(clips[i], r)) in deep]
            motions = [clips[i].motion["to_before"][self._row(clips[i], r)] for i, r in ready]
            sources = [deep[i, self._source(clips[i], r)] for i, r in ready]
            carried = self._in_batches(_carried, list(zip(sources, motions, strict=True)))
            deep |= {(i, int(clips[i].motion["refined"][r])): f for (i, r), (f,) in zip(ready, carried, strict=True)}
            inputs = [[clips[i].inputs["refined"][r], *f] for (i, r), f in zip(ready, carried, strict=True)]
            answered = self._in_batches(self._refiner, inputs)
            refined |= {place: own for place, (own,) in zip(ready, answered, strict=True)}
            waiting = [place for place in waiting if place not in refined]
        results = []
        for i, clip in enumerate(clips):
            mine = [next(answers) for _ in clip.pixels]
            own = fetched(torch.stack([scores for scores, *_ in mine]))
            count = len(clip.motion["refined"])
            again = fetched(torch.stack([refined[i, r] for r in range(count)])) if count else own[:0]
            embeddings = collected([seen for _, _, *seen in mine])
            results.append(Inferred(scores=own, extra={"refined": again}, embeddings=embeddings))
        return results

    @staticmethod
    def _row(clip: Prepared, r: int) -> int:
        return int(np.searchsorted(clip.motion["carried"], clip.motion["refined"][r]))

    def _source(self, clip: Prepared, r: int) -> int:
        return int(clip.motion["before"][self._row(clip, r)])


def _carried(*inputs: Tensor) -> tuple[Tensor]:
    deep, motion = inputs
    return (warp_features(deep, motion),)


def refining_network(config: Config, base: Base) -> nn.Module:
    """The network that refines: the keyframe network, or a copy with the parts that ``config.weights`` trained."""
    if config.weights is None:
        return base.network
    network = copy.deepcopy(base.network)
    path = stored.locate("method.weights", config.weights)
    stored.load(network, path, name=f"the refiner of {type(network).__name__}", keep=is_joining(network))
    return network


def is_joining(network: nn.Module) -> Callable[[str], bool]:
    """Whether a parameter belongs to ``join``: what a refiner may have of its own."""
    return lambda name: name.startswith(network.joining)  # type: ignore[arg-type]
