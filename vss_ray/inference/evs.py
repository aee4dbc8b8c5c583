"""The second stage of EVS: the network on keyframes, again on doubtful tiles, and the refiner on pictures in between.

Refiner (thesis section 3.4): shallow features of the picture itself, deep features of the keyframe, carried along the
flow from source to source and never computed anew between keyframes. Any network with ``shallow``, ``deep`` and
``join`` can be split so.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from vss_ray.errors import ModelError
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base, Inference
from vss_ray.inference.batches import collected, in_batches
from vss_ray.inference.every_picture import EveryPicture, score, score_and_embed
from vss_ray.inference.warping import warp_features
from vss_ray.networks import stored
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import normalize, probabilities

if TYPE_CHECKING:
    from vss_ray.methods.evs import Config


def build(config: Config, base: Base) -> Inference:
    """What of it the operating point needs."""
    if config.refine_every:
        return Refining(config, base)
    return Repairing(base) if config.repair_every else EveryPicture(base)


class Repairing:
    """Scores of keyframes and of tiles."""

    def __init__(self, base: Base) -> None:
        self.taxonomy = base.taxonomy
        self._segmenter, self._batch = base.segmenter(), base.batch

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``; adds ``tiles`` (n, h/s, w/s, C)."""
        keys = score_and_embed(self._segmenter, [clip.pixels for clip in clips], self._batch)
        tiles = score(self._segmenter, [clip.inputs["tiles"] for clip in clips], self._batch)
        return [Inferred(scores=s, extra={"tiles": t}, embeddings=e) for (s, e), t in zip(keys, tiles, strict=True)]


class Key(nn.Module):
    """A keyframe's probabilities and its deep features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, h/s, w/s, C) float16 and (B, c, h', w') float16 of ``pixels`` (B, h, w, 3) uint8."""
        network = self.network
        shallow = network.shallow(normalize(pixels, network.mean, network.std))  # type: ignore[operator]
        deep = network.deep(shallow)  # type: ignore[operator]
        return probabilities(network.join(shallow, deep)), deep.half()  # type: ignore[operator]


class Refiner(nn.Module):
    """Probabilities of a picture from its own shallow features and carried deep ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor, deep: Tensor) -> Tensor:
        """(B, h/s, w/s, C) float16 of ``pixels`` (B, h, w, 3) uint8 and ``deep`` (B, c, h', w')."""
        network = self.network
        shallow = network.shallow(normalize(pixels, network.mean, network.std))  # type: ignore[operator]
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
        self.taxonomy, self._device, self._batch = base.taxonomy, base.device, base.batch
        self._refiner = base.compile(Refiner(refining_network(config, base)))
        self._key = base.compile(embedded(Key(base.network), base.network))

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``; adds ``refined`` (r, h/s, w/s, C)."""
        keys = in_batches(self._key, [[pixels] for clip in clips for pixels in clip.pixels], self._batch, self._device)
        places = [(i, int(picture)) for i, clip in enumerate(clips) for picture in clip.network_pictures]
        deep = {place: features for place, (_, features, *_) in zip(places, keys, strict=True)}
        answers = iter(keys)
        refined: dict[tuple[int, int], Tensor] = {}
        waiting = [(i, r) for i, clip in enumerate(clips) for r in range(len(clip.motion["refined"]))]
        while waiting:
            # Those whose source is known; the source of a refined picture may itself be one.
            ready = [(i, r) for i, r in waiting if (i, self._source(clips[i], r)) in deep]
            inputs = []
            for i, r in ready:
                field = torch.tensor(clips[i].motion["to_before"][self._row(clips[i], r)])[None].to(self._device)
                carried = warp_features(deep[i, self._source(clips[i], r)][None], field)[0]
                deep[i, int(clips[i].motion["refined"][r])] = carried
                inputs.append([clips[i].inputs["refined"][r], carried])
            refined |= zip(
                ready, [own for (own,) in in_batches(self._refiner, inputs, self._batch, self._device)], strict=True
            )
            waiting = [place for place in waiting if place not in refined]
        results = []
        for i, clip in enumerate(clips):
            mine = [next(answers) for _ in clip.pixels]
            own = torch.stack([scores for scores, *_ in mine]).cpu().numpy()
            count = len(clip.motion["refined"])
            again = np.stack([refined[i, r].cpu().numpy() for r in range(count)]) if count else own[:0]
            embeddings = collected([seen for _, _, *seen in mine])
            results.append(Inferred(scores=own, extra={"refined": again}, embeddings=embeddings))
        return results

    @staticmethod
    def _row(clip: Prepared, r: int) -> int:
        return int(np.searchsorted(clip.motion["carried"], clip.motion["refined"][r]))

    def _source(self, clip: Prepared, r: int) -> int:
        return int(clip.motion["before"][self._row(clip, r)])


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
