"""GSVNet's second stage: scores of keyframes carried from picture to picture, many chains in lock-step.

A chain starts at a keyframe and ends before the next one, or, backwards, before the previous one. What travels along it
are logits, and nothing else is remembered. Keyframes are taken as many at a time as the device sees pictures, so that
the logits of few chains are held at once, however long the clips are. Scores are added up on the device and come down
once for every clip.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.documents import read_json
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.inference.batches import collected, fetched, in_batches
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.networks import gsvnet, stored
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import Normalized


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """What a file of weights says of its network."""

    num_classes: int
    width: int
    zero_plane: bool
    error_plane: bool
    stride: int
    """Pixels of the keyframe network's input per cell of the logits that are carried: 8 as published, or 4."""
    search: int = 0

    def build(self) -> gsvnet.GsvNet:
        """The network, untrained."""
        return gsvnet.GsvNet(
            self.num_classes,
            width=self.width,
            zero_plane=self.zero_plane,
            error_plane=self.error_plane,
            search=self.search,
        )

    def to_metadata(self) -> dict[str, str]:
        """For the header of a file."""
        return {name: json.dumps(value) for name, value in vars(self).items()}

    @classmethod
    def from_metadata(cls, header: dict[str, str]) -> Hyperparameters:
        """The inverse of ``to_metadata``; the other keys of a header are ignored."""
        return cls(**{name: read_json(header[name]) for name in cls.__dataclass_fields__ if name in header})


class Carrying:
    """See the module.

    Args:
        weights: A file of ``vss train gsvnet``.
        base: The keyframe network that it was trained with.
        both: Carry backwards from the next keyframe too; every picture must lie between two.
    """

    def __init__(self, weights: Path, base: Base, *, both: bool) -> None:
        parameters = Hyperparameters.from_metadata(stored.header(weights))
        network = parameters.build()
        stored.load(network, weights, name="gsvnet")
        self.taxonomy: Taxonomy = base.taxonomy
        self._keys = base.compile(embedded(Keys(base.network, parameters.stride), base.network))
        self._step = base.compile(Step(network, base.mean, base.std))
        self._both, self._batch = both, base.batch
        self._in_batches = partial(in_batches, batch=base.batch, device=base.device)

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``."""
        scores: dict[int, Tensor] = {}
        seen: dict[int, list[list[Tensor]]] = {i: [] for i in range(len(clips))}
        for size in {clip.pixels.shape[1:] for clip in clips}:
            alike = [i for i, clip in enumerate(clips) if clip.pixels.shape[1:] == size]
            keys = [(i, place) for i in alike for place in range(len(clips[i].keyframes))]
            for start in range(0, len(keys), self._batch):
                chains = []
                taken = keys[start : start + self._batch]
                answers = self._in_batches(self._keys, [[clips[i].pixels[place]] for i, place in taken])
                for (i, place), (logits, delivered, *embedding) in zip(taken, answers, strict=True):
                    seen[i].append(embedding)
                    if i not in scores:
                        scores[i] = delivered.new_zeros((len(clips[i].inputs["small"]), *delivered.shape))
                    scores[i][clips[i].keyframes[place]] = delivered
                    chains += [_Chain(logits, clips[i], scores[i], way) for way in _ways(clips[i], place, self._both)]
                self._advance([each for each in chains if each.way.pictures])
        return [Inferred(scores=fetched(scores[i]), embeddings=collected(seen[i])) for i in range(len(clips))]

    def _advance(self, chains: list[_Chain]) -> None:
        """All chains to their ends, a picture at a time."""
        done = 0
        while chains:
            answers = self._in_batches(self._step, [(each.logits, *each.inputs(done)) for each in chains])
            for each, (logits, delivered) in zip(chains, answers, strict=True):
                each.logits = logits
                # Two ways meet in every picture between two keyframes; their order does not matter to a sum of two.
                each.scores[each.way.pictures[done]] += delivered * each.way.weights[done]
            done += 1
            chains = [each for each in chains if len(each.way.pictures) > done]


class Keys(nn.Module):
    """The keyframe network, its logits on the grid that they are carried on.

    Args:
        network: Logits (B, C, H/s, W/s) of normalized pictures (B, 3, H, W); has ``mean`` and ``std``.
        stride: Pixels per cell of that grid.
    """

    def __init__(self, network: nn.Module, stride: int) -> None:
        super().__init__()
        self.network, self.stride = network, stride
        self.normalized = Normalized(network.mean, network.std)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C, gh, gw) and probabilities (B, gh, gw, C) float16 of pictures (B, H, W, 3) uint8."""
        logits = self.network(self.normalized(pixels)).float()
        grid = pixels.shape[1] // self.stride, pixels.shape[2] // self.stride
        return _delivered(resized(logits, grid))


class Step(nn.Module):
    """From the logits of a picture to those of its neighbor; see ``gsvnet.GsvNet``."""

    def __init__(self, network: gsvnet.GsvNet, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network, self.normalized = network, Normalized(mean, std)

    def forward(self, logits: Tensor, here: Tensor, there: Tensor, *motion: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C, gh, gw) and probabilities (B, gh, gw, C) float16 of the picture.

        Args:
            logits: (B, C, gh, gw) of its neighbor.
            here: (B, h, w, 3) uint8 the picture at 1/8.
            there: (B, h, w, 3) uint8 its neighbor.
            motion: Nothing, or the displacement (B, h, w, 2) to the neighbor, cells.
        """
        given = [field.permute(0, 3, 1, 2).float() for field in motion]
        return _delivered(self.network(logits, self.normalized(here), self.normalized(there), *given))


def resized(logits: Tensor, grid: tuple[int, int]) -> Tensor:
    """``logits`` (B, C, ., .) on another grid."""
    return F.interpolate(logits, grid, mode="bilinear", align_corners=False)


def _delivered(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits, logits.softmax(1).permute(0, 2, 3, 1).half()


@dataclass(frozen=True)
class _Way:
    """The pictures that a keyframe is carried to, nearest first."""

    pictures: range
    weights: list[float]
    """How much it counts there, numbers of half precision; the keyframe from the other side has the rest."""
    backwards: bool


@dataclass
class _Chain:
    """A way, and how far it has been gone."""

    logits: Tensor
    """(C, gh, gw) of the picture reached."""
    clip: Prepared
    scores: Tensor
    """(D, gh, gw, C) float16 of the clip; added to."""
    way: _Way

    def inputs(self, done: int) -> Iterator[NDArray]:
        """What the next step needs besides the logits: the picture, its neighbor, and the motion where it is known."""
        picture = self.way.pictures[done]
        small = self.clip.inputs["small"]
        yield small[picture]
        yield small[picture + 1 if self.way.backwards else picture - 1]
        motion = self.clip.inputs.get("to_next" if self.way.backwards else "to_previous")
        if motion is not None:
            yield motion[picture]


def _ways(clip: Prepared, place: int, both: bool) -> Iterator[_Way]:
    """Where keyframe number ``place`` of a clip is carried to."""
    keys = clip.keyframes.tolist()
    key = keys[place]
    stop = keys[place + 1] if place + 1 < len(keys) else len(clip.inputs["small"])
    onward = range(key + 1, stop)
    shares = (stop - np.arange(key + 1, stop)) / (stop - key) if both else np.ones(len(onward))
    yield _Way(onward, shares.astype(np.float16).tolist(), False)
    if both and place > 0:
        before = keys[place - 1]
        shares = (np.arange(key - 1, before, -1) - before) / (key - before)
        yield _Way(range(key - 1, before, -1), shares.astype(np.float16).tolist(), True)
