"""The network on every picture: the baseline that every other method is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.methods import Parts
from vss_ray.ops.upsample import upsample_labels
from vss_ray.scan import scan


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}


class PerFrame:
    """Every picture is a keyframe."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._parts = parts

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``."""
        network_size = self._parts.input_size(clip.height, clip.width)
        scanned = scan(
            frames,
            small_size=(network_size[0] // 2, network_size[1] // 2),
            network_size=network_size,
            may_choose=lambda *_: True,
            is_wanted=lambda _: False,
            cut_threshold=self._parts.cut_threshold,
        )
        every = np.arange(len(scanned.planes), dtype=np.int32)
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=every,
            network_pictures=every,
            pixels=scanned.take(every.tolist()),
        )

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        for scores in inferred.scores:
            ids = upsample_labels(scores, prepared.clip.height, prepared.clip.width)
            yield Labels(ids=ids, is_keyframe=True, key_distance=0, unreliable=0.0)


build = PerFrame
