"""The second stage of EVS with repairs: the network on keyframes, and again on doubtful tiles."""

from __future__ import annotations

from collections.abc import Sequence

from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base
from vss_ray.inference.every_picture import score, score_and_embed


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
