"""A method that is EVS, but for one clip, which takes its worker with it. A plug-in by dotted path."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.methods import Parts, evs


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which clip."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    video_id: str
    clip_id: str
    stage: str
    """``prepare`` or ``finish``."""

    def harm(self, clip: Clip, stage: str) -> None:
        """Read where nothing is: SIGSEGV."""
        if (stage, clip.video_id, clip.clip_id) == (self.stage, self.video_id, self.clip_id):
            ctypes.string_at(0)


class Poisoned:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._config, self._method = config, evs.build(evs.Config(), parts)

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        self._config.harm(clip, "prepare")
        return self._method.prepare(clip, frames)

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        self._config.harm(prepared.clip, "finish")
        return self._method.finish(prepared, inferred)


build = Poisoned
