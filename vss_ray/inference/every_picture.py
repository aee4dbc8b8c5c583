"""The network on every network picture: the second stage of methods without networks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.segmenters import Segmenter


class EveryPicture:
    """See the module."""

    def __init__(self, base: Base) -> None:
        self._segmenter, self._batch = base.segmenter(), base.batch
        self.taxonomy = base.taxonomy

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """See ``Inference``."""
        answers = score_and_embed(self._segmenter, [clip.pixels for clip in clips], self._batch)
        return [Inferred(scores=scores, embeddings=embeddings) for scores, embeddings in answers]

    def warm_up(self, height: int, width: int) -> None:
        """Compile what frames of this size will need; half as long as to see a clip of them."""
        size = self._segmenter.input_size(height, width)
        noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
        score_and_embed(self._segmenter, [noise], self._batch)


Answer = tuple[NDArray[np.float16], NDArray[np.float16] | None]
"""Scores (n, h/s, w/s, C) and embeddings (n, E), see ``frames.Inferred``."""


def score(segmenter: Segmenter, stacks: Sequence[NDArray[np.uint8]], batch: int) -> list[NDArray[np.float16]]:
    """Scores alone of ``score_and_embed``."""
    return [scores for scores, _ in score_and_embed(segmenter, stacks, batch)]


def score_and_embed(segmenter: Segmenter, stacks: Sequence[NDArray[np.uint8]], batch: int) -> list[Answer]:
    """What the network says of several stacks of pictures (n, h, w, 3), in batches of one fixed shape across stacks.

    The last batch of a size is filled up, so that a picture's answer never depends on what it came with. A stack
    without pictures has no embeddings.
    """
    results: dict[int, Answer] = {}
    for size in {stack.shape[1:] for stack in stacks}:
        alike = [i for i, stack in enumerate(stacks) if stack.shape[1:] == size]
        pictures = [picture for i in alike for picture in stacks[i]]
        if pictures:
            # A device works on several batches at once; where the engine knows no such thing they go one by one.
            in_batches = getattr(segmenter, "in_batches", None) or partial(_one_by_one, segmenter)
            scores, embeddings = in_batches(pictures, batch)
        else:
            grid = (size[0] // segmenter.stride, size[1] // segmenter.stride)
            scores, embeddings = np.zeros((0, *grid, len(segmenter.taxonomy)), np.float16), None
        stops = np.cumsum([len(stacks[i]) for i in alike])[:-1]
        vectors = [None] * len(alike) if embeddings is None else np.split(embeddings, stops)
        results |= zip(alike, zip(np.split(scores, stops), vectors, strict=True), strict=True)
    return [results[i] for i in range(len(stacks))]


def _one_by_one(segmenter: Segmenter, pictures: Sequence[NDArray[np.uint8]], batch: int) -> Answer:
    """Of pictures of one size, batch by batch."""
    run = getattr(segmenter, "score_and_embed", None) or (lambda pixels: (segmenter(pixels), None))
    scores, embeddings = [], []
    for start in range(0, len(pictures), batch):
        wanted = pictures[start : start + batch]
        found, seen = run(np.stack([*wanted, *[wanted[-1]] * (batch - len(wanted))]))
        scores.append(found[: len(wanted)])
        if seen is not None:
            embeddings.append(seen[: len(wanted)])
    return np.concatenate(scores), np.concatenate(embeddings) if embeddings else None
