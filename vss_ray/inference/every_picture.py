"""The network on every network picture: the second stage of methods without networks of their own."""

from __future__ import annotations

from collections.abc import Sequence

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
    run = getattr(segmenter, "score_and_embed", None) or (lambda pixels: (segmenter(pixels), None))
    results: dict[int, Answer] = {}
    for size in {stack.shape[1:] for stack in stacks}:
        alike = [i for i, stack in enumerate(stacks) if stack.shape[1:] == size]
        pixels = [picture for i in alike for picture in stacks[i]]
        scores, embeddings = [], []
        for start in range(0, len(pixels), batch):
            wanted = pixels[start : start + batch]
            filled = wanted + [wanted[-1]] * (batch - len(wanted))
            found, seen = run(np.stack(filled))
            scores.append(found[: len(wanted)])
            if seen is not None:
                embeddings.append(seen[: len(wanted)])
        grid = (size[0] // segmenter.stride, size[1] // segmenter.stride)
        joined = np.concatenate([np.zeros((0, *grid, len(segmenter.taxonomy)), np.float16), *scores])
        stops = np.cumsum([len(stacks[i]) for i in alike])[:-1]
        vectors = np.split(np.concatenate(embeddings), stops) if embeddings else [None] * len(alike)
        results |= zip(alike, zip(np.split(joined, stops), vectors, strict=True), strict=True)
    return [results[i] for i in range(len(stacks))]
