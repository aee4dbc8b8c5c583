"""LMANet's second stage: pictures are encoded in order, and decoded as soon as all of their memory is.

Nothing is remembered but functions of single pictures, so that batches are as wide as the device likes; what no later
picture will read is let go. A picture without a memory gets the scores of the single-picture network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vss_ray.errors import ModelError
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.inference.batches import collected, fetched_alike, in_batches
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.networks import halves, lmanet, local_attention, stored
from vss_ray.networks.embedding import embedded, has_embedding
from vss_ray.networks.halves import Halves
from vss_ray.networks.pixels import Normalized, probabilities
from vss_ray.ops.local_attention import attend

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class _Encoded:
    """What is kept of a picture, all of it on the device; shapes without a batch."""

    features: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    others: tuple[Tensor, ...]
    """What else the decoder takes."""


class Remembering:
    """See the module.

    Args:
        weights: A file of ``vss train lmanet``.
        base: The single-picture network that it was trained with.
        window: Side of the window in cells, odd; None: as in training.
        tolerance: See ``lmanet.Blend``; None: as in training.

    Raises:
        ModelError: The weights do not fit, or know no tolerance, or the network cannot be cut in two.
    """

    def __init__(self, weights: Path, base: Base, *, window: int | None = None, tolerance: float | None = None) -> None:
        alone = halves.cut(base.network)
        network = load(weights, alone)
        if tolerance is not None:
            if not isinstance(network.fusion, lmanet.Blend):
                raise ModelError(
                    f"method.tolerance belongs to fusion 'blend'; {weights} has {network.config.fusion!r}: leave it out"
                )
            network.fusion.tolerance.fill_(tolerance)
        self.taxonomy: Taxonomy = base.taxonomy
        self._network = network
        self._window = window or network.config.window
        self._zero_padding = network.config.zero_padding
        self._encode = base.compile(embedded(Encode(network, alone.front, base.mean, base.std), base.network))
        self._embeds = has_embedding(base.network)
        self._decode, self._decode_alone = base.compile(Decode(network)), base.compile(DecodeAlone(alone.back))
        self._attend = base.compile(Attend(self._window, self._zero_padding))
        self._batch, self._device = base.batch, base.device
        self._in_batches = partial(in_batches, batch=base.batch, device=base.device)

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``; a clip's ``inputs["memory"]`` has the places of its pictures' memories."""
        results: dict[int, Inferred] = {}
        for size in {clip.pixels.shape[1:] for clip in clips}:
            alike = [i for i, clip in enumerate(clips) if clip.pixels.shape[1:] == size]
            pixels = [picture for i in alike for picture in clips[i].pixels]
            stops = np.cumsum([len(clips[i].pixels) for i in alike]).tolist()
            memories = [
                [start + place for place in row if place >= 0]
                for i, start in zip(alike, [0, *stops], strict=False)
                for row in clips[i].inputs["memory"].tolist()
            ]
            scores, embeddings = self._score(pixels, memories)
            own = np.split(np.stack(scores), stops[:-1])
            seen = [None] * len(alike) if embeddings is None else np.split(embeddings, stops[:-1])
            results |= {i: Inferred(scores=s, embeddings=e) for i, s, e in zip(alike, own, seen, strict=True)}
        return [results[i] for i in range(len(clips))]

    def _score(
        self, pixels: Sequence[NDArray[np.uint8]], memories: Sequence[Sequence[int]]
    ) -> tuple[list[NDArray], NDArray[np.float16] | None]:
        """Scores and embeddings of all pictures; ``memories`` number those that each reads."""
        last_reader = [*range(len(pixels))]
        for number, memory in enumerate(memories):
            for other in memory:
                last_reader[other] = max(last_reader[other], number)
        scores: dict[int, NDArray] = {}
        encoded: dict[int, _Encoded] = {}
        waiting: list[int] = []
        seen: list[tuple[Tensor, ...]] = []
        for start in range(0, len(pixels), self._batch):
            stop = min(start + self._batch, len(pixels))
            numbers = range(start, stop)
            outputs = self._in_batches(self._encode, [[pixels[n]] for n in numbers])
            if self._embeds:
                seen += [output[-1:] for output in outputs]
                outputs = [output[:-1] for output in outputs]
            encoded |= {number: self._kept(*output) for number, output in zip(numbers, outputs, strict=True)}
            waiting += numbers
            ready = [number for number in waiting if all(other in encoded for other in memories[number])]
            waiting = [number for number in waiting if number not in ready]
            # Batches of one length: the softmax is over all that is there.
            for length in sorted({len(memories[number]) for number in ready}):
                numbers = [number for number in ready if len(memories[number]) == length]
                answers = self._label(
                    [encoded[n] for n in numbers], [[encoded[o] for o in memories[n]] for n in numbers]
                )
                scores |= zip(numbers, answers, strict=True)
            needed = {other for number in waiting for other in (number, *memories[number])}
            encoded = {n: each for n, each in encoded.items() if last_reader[n] >= stop or n in needed}
        return [scores[number] for number in range(len(pixels))], collected(seen)

    def _kept(self, features: Tensor, query: Tensor, key: Tensor, value: Tensor, *others: Tensor) -> _Encoded:
        return _Encoded(features, *self._network.comparable(query, key), value, others)

    def _label(self, pictures: Sequence[_Encoded], memories: Sequence[Sequence[_Encoded]]) -> list[NDArray]:
        """Scores of pictures whose memories have one length."""
        if not memories[0]:
            answers = self._in_batches(self._decode_alone, [[each.features, *each.others] for each in pictures])
        else:
            reads = self._read(pictures, memories)
            items = [[each.features, read, *each.others] for each, read in zip(pictures, reads, strict=True)]
            answers = self._in_batches(self._decode, items)
        return fetched_alike([scores for (scores,) in answers])

    def _read(self, pictures: Sequence[_Encoded], memories: Sequence[Sequence[_Encoded]]) -> list[Tensor]:
        """What every picture reads (h, w, V)."""
        if self._device.type == "cpu":
            return [self._read_on_cpu(picture, memory) for picture, memory in zip(pictures, memories, strict=True)]

        items = [
            [picture.query, torch.stack([m.key for m in memory]), torch.stack([m.value for m in memory])]
            for picture, memory in zip(pictures, memories, strict=True)
        ]
        return [own for (own,) in self._in_batches(self._attend, items)]

    def _read_on_cpu(self, picture: _Encoded, memory: Sequence[_Encoded]) -> Tensor:
        keys, values = [each.key.numpy() for each in memory], [each.value.numpy() for each in memory]
        read = attend(picture.query.numpy(), keys, values, self._window, zero_padding=self._zero_padding)
        return torch.from_numpy(read)


def load(weights: Path, base: Halves) -> lmanet.LmaNet:
    """The network of a file on the single-picture network that it belongs to, in evaluation.

    Raises:
        ModelError: The tensors do not fit.
    """
    network = lmanet.LmaNet(lmanet.Config(**stored.described(weights, "config")), base)
    stored.load(network, weights, name="lmanet")
    return network.eval().requires_grad_(False)


class Encode(nn.Module):
    """From a picture to what is kept of it."""

    def __init__(self, network: lmanet.LmaNet, front: nn.Module, mean: RGB, std: RGB) -> None:
        super().__init__()
        self.network, self.front, self.normalized = network, front, Normalized(mean, std)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Features, queries, keys and values of ``pixels`` (B, 8h, 8w, 3) uint8, and what else the decoder takes.

        Features (B, width, h, w) and the rest in half precision; (B, h, w, K), (B, h, K, w), (B, h, w, V) float32.
        """
        features, *others = self.front(self.normalized(pixels))
        key, value = self.network.memorize(features)
        kept = features.half(), self.network.query(features).float(), key.float(), value.float()
        return *kept, *(each.half() for each in others)


class Attend(nn.Module):
    """What pictures read of their memories; a CPU has a kernel of its own, ``ops.local_attention``."""

    def __init__(self, window: int, zero_padding: bool) -> None:
        super().__init__()
        self.window, self.zero_padding = window, zero_padding

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """See ``networks.local_attention.attend``."""
        return local_attention.attend(queries, keys, values, self.window, zero_padding=self.zero_padding)


class Decode(nn.Module):
    """Probabilities of a picture that has read its memory."""

    def __init__(self, network: lmanet.LmaNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, read: Tensor, *others: Tensor) -> Tensor:
        """(B, gh, gw, C) float16 of (B, width, h, w), (B, h, w, V) and what else the decoder takes."""
        fused = self.network.fuse(features.float(), read)
        return probabilities(self.network.decoder(fused, *(each.float() for each in others)))


class DecodeAlone(nn.Module):
    """Probabilities of a picture without a memory: those of the single-picture network."""

    def __init__(self, back: nn.Module) -> None:
        super().__init__()
        self.back = back

    def forward(self, features: Tensor, *others: Tensor) -> Tensor:
        """(B, gh, gw, C) float16 of (B, width, h, w) and what else the decoder takes."""
        return probabilities(self.back(features.float(), *(each.float() for each in others)))
