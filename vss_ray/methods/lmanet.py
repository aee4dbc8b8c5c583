"""LMANet: every picture is encoded, and reads what its neighbors saw (Paul et al., IROS 2021). For accuracy, not speed.

A memory holds functions of single pictures, so that nothing depends on what was labelled before. As published these are
the last pictures; offline, half of them may be the next ones. A memory ends at a cut, and at the end of a clip. With
``keys_only`` the pictures are the keyframes of EVS, which then carries better labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.methods import Parts, evs
from vss_ray.methods._weights import check
from vss_ray.networks import stored
from vss_ray.ops.upsample import upsample_labels
from vss_ray.scan import scan
from vss_ray.segmenters import Description
from vss_ray.signals import Schedule, Signals

if TYPE_CHECKING:
    from vss_ray.inference import Base, Inference

ABSENT = -1
"""In a table of memories: no picture."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a picture's memory is."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: str = "lmanet_mobilenet_v2_camvid"
    """A file of vss_ray/weights by name, or the path of a .safetensors file; made by ``vss train lmanet``."""
    memory: Literal["past", "both"] = "both"
    """``past``: the last frames, as published. ``both``: last and next ones in turn, the odd one is past."""
    frames: int = 4
    """Pictures in the memory, S."""
    stride: int = 1
    """From one of them to the next."""
    window: int | None = None
    """Side of the window of every memory frame, odd; None: as in training."""
    tolerance: float | None = None
    """Mean square by which what was read may differ from a picture's features (exp(-1) of it counts then): less where
    pictures are far apart. None: the weights' own."""
    keys_only: bool = False
    """Pictures are the keyframes of method evs, and so are their neighbors."""
    evs: evs.Config = field(default_factory=evs.Config)
    """How ``keys_only`` carries their labels."""

    def __post_init__(self) -> None:
        if self.frames < 1 or self.stride < 1:
            raise ValueError(f"wanted frames and stride of 1 or more, got {self.frames} and {self.stride}")
        if self.window is not None and (self.window < 1 or self.window % 2 == 0):
            raise ValueError(f"window is {self.window}; wanted an odd number of cells")
        if self.tolerance is not None and self.tolerance <= 0:
            raise ValueError(f"tolerance is {self.tolerance}; wanted more than 0")
        if self.evs.refine_every or self.evs.repair_every:
            raise ValueError("evs.refine_every and evs.repair_every need the second stage of evs; leave them 0")


class LmaNet:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        if parts.audit > 0 and not config.keys_only:
            raise ConfigError("audit: works with method evs, not with lmanet; leave it out, or set method.keys_only")
        self._config, self._parts = config, parts
        self._evs = evs.build(config.evs, parts)

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``; ``inputs`` holds for every network picture the places of those in its memory."""
        config, parts = self._config, self._parts
        if config.keys_only:
            schedule = _Watched(parts.schedule)
            prepared = evs.build(config.evs, replace(parts, schedule=schedule)).prepare(clip, frames)
            places = np.searchsorted(prepared.network_pictures, prepared.keyframes)
            firsts = np.searchsorted(prepared.keyframes, np.cumsum(schedule.lengths[:-1]))
            runs = [part.tolist() for part in np.split(places, firsts)]
            table = memories(runs, len(prepared.network_pictures), config)
            return replace(prepared, inputs={**prepared.inputs, "memory": table})
        network_size = parts.input_size(clip.height, clip.width)
        scanned = scan(
            frames,
            small_size=(network_size[0] // 2, network_size[1] // 2),
            network_size=network_size,
            may_choose=lambda *_: True,
            is_wanted=lambda _: False,
            cut_threshold=parts.cut_threshold,
        )
        every = np.arange(len(scanned.planes), dtype=np.int32)
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=every,
            network_pictures=every,
            pixels=scanned.take(every.tolist()),
            inputs={"memory": memories(scanned.runs, len(every), config)},
        )

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        if self._config.keys_only:
            yield from self._evs.finish(prepared, inferred)
            return
        for scores in inferred.scores:
            ids = upsample_labels(scores, prepared.clip.height, prepared.clip.width)
            yield Labels(ids=ids, is_keyframe=True, key_distance=0, unreliable=0.0)


class _Watched:
    """A schedule that notes how many pictures the runs have which it is asked about."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule, self.lengths = schedule, list[int]()

    def may_choose(self, index: int, seconds: float, previous_seconds: float) -> bool:
        """See ``Schedule``."""
        return self._schedule.may_choose(index, seconds, previous_seconds)

    def choose(self, signals: Signals) -> list[int]:
        """See ``Schedule``."""
        self.lengths.append(len(signals))
        return self._schedule.choose(signals)


def memories(runs: Sequence[Sequence[int]], count: int, config: Config) -> NDArray[np.int32]:
    """(count, S) places of the pictures in the memory of each, the nearest first; those that are missing are ABSENT.

    Args:
        runs: Places of pictures that follow each other without a cut.
        count: Pictures in all; those in no run remember nothing.
        config: How many, from which side, how far apart.
    """
    if config.memory == "past":
        steps = [-config.stride * (i + 1) for i in range(config.frames)]
    else:
        steps = [config.stride * (i // 2 + 1) * (1 if i % 2 else -1) for i in range(config.frames)]
    table = np.full((count, config.frames), ABSENT, np.int32)
    for run in runs:
        for here, place in enumerate(run):
            found = [run[here + step] for step in steps if 0 <= here + step < len(run)]
            table[place, : len(found)] = found
    return table


def describe(config: Config, base: Description) -> str:
    """sha256 of the weights, once they are known to fit.

    Raises:
        ModelError: There are no such weights, or they belong to another network, other classes, or another segmenter.
    """
    return check(config.weights, "lmanet", base)


def build_inference(config: Config, base: Base) -> Inference:
    """The second stage; see ``vss_ray.inference.lmanet``."""
    from vss_ray.inference import lmanet

    return lmanet.Remembering(
        stored.locate("method.weights", config.weights), base, window=config.window, tolerance=config.tolerance
    )


build = LmaNet
