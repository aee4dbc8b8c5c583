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
        return [Inferred(scores=s) for s in score(self._segmenter, [clip.pixels for clip in clips], self._batch)]


def score(segmenter: Segmenter, stacks: Sequence[NDArray[np.uint8]], batch: int) -> list[NDArray[np.float16]]:
    """Scores of several stacks of pictures (n, h, w, 3), in batches of one fixed shape across the stacks.

    The last batch of a size is filled up, so that a picture's scores never depend on what it came with.
    """
    results: dict[int, NDArray[np.float16]] = {}
    for size in {stack.shape[1:] for stack in stacks}:
        alike = [i for i, stack in enumerate(stacks) if stack.shape[1:] == size]
        pixels = [picture for i in alike for picture in stacks[i]]
        scores = []
        for start in range(0, len(pixels), batch):
            wanted = pixels[start : start + batch]
            filled = wanted + [wanted[-1]] * (batch - len(wanted))
            scores.append(segmenter(np.stack(filled))[: len(wanted)])
        grid = (size[0] // segmenter.stride, size[1] // segmenter.stride)
        joined = np.concatenate([np.zeros((0, *grid, len(segmenter.taxonomy)), np.float16), *scores])
        stops = np.cumsum([len(stacks[i]) for i in alike])
        results |= zip(alike, np.split(joined, stops[:-1]), strict=True)
    return [results[i] for i in range(len(stacks))]
