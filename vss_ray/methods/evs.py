"""EVS: labels of keyframes are carried along optical flow (Paul et al., WACV 2020; thesis chapter 3), from both sides.

What the thesis does online with the last keyframe, this does offline with both enclosing ones: displacements are
composed and the keyframes' probabilities sampled once, the two are blended by distance, by how alike picture and warped
keyframe look, and by how consistent the motion is. Where the motion is in doubt, tiles of pictures in between are given
to the network (``repair_every``); neighboring keyframes vote on each other (``fuse_keyframes``).

``direction: forward`` uses the last keyframe alone, as the thesis; there its refiner (``refine_every``) computes the
shallow features of a picture anew, takes the deep ones from the keyframe along the flow, and replaces what the
Inconsistencies Attention Module marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from vss_ray.audit import audit_motion, audited, compare
from vss_ray.clips import Clip
from vss_ray.errors import ModelError
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.intervals import choose_keyframes
from vss_ray.methods import Parts
from vss_ray.methods._interval import Settings, small_size
from vss_ray.methods._maps import Maps
from vss_ray.methods._sources import Sources
from vss_ray.ops.half import widened
from vss_ray.ops.upsample import upsample_labels
from vss_ray.ops.warp import warp
from vss_ray.scan import drawn, scan
from vss_ray.segmenters import Description

if TYPE_CHECKING:
    from vss_ray.inference import Base, Inference

SPLIT = ("swiftnet", "icnet")
"""Networks of the package that have ``shallow``, ``deep`` and ``join``."""


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """How labels travel."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    direction: Literal["both", "forward"] = "both"
    warp: bool = True
    """False repeats the labels of the last keyframe as they are: the thesis' rows without W. Forward only."""
    fuse_keyframes: float = 0.0
    """Weight of the neighboring keyframes, carried here, in a keyframe's own scores; 0 leaves those alone."""
    repair_every: int = 0
    """Pictures from one that may be repaired to the next, counted from the start of a run; 0 repairs nothing."""
    repair_share: float = 0.5
    """Share of the tiles of such pictures that the network sees again, the most doubtful first."""
    repair_tile: int = 256
    """Side of a tile, pixels of the network's input, near enough."""
    refine_every: int = 0
    """Forward only: pictures from a keyframe to the first refined one and on to the next; 0 refines nothing."""
    attention: Literal["two_flow", "one_flow"] = "two_flow"
    """Whether the way from keyframe to picture is solved, or is minus the way back (the thesis' saving)."""
    attention_dilation: int = 7
    attention_smoothing: int = 7
    """Cells of the score grid."""
    weights: str | None = None
    """The refiner's own weights, by name or path; None: the network's."""

    def __post_init__(self) -> None:
        if self.direction == "both" and (self.refine_every or not self.warp):
            raise ValueError("refine_every and warp: false belong to direction: forward; both ends use repair_every")
        if self.refine_every and not self.warp:
            raise ValueError("refine_every needs warp: true, which carries the features that it starts from")
        if self.direction == "forward" and self.repair_every:
            raise ValueError("repair_every belongs to direction: both; direction: forward uses refine_every")
        if min(self.refine_every, self.repair_every, self.fuse_keyframes) < 0 or not 0 < self.repair_share <= 1:
            raise ValueError(
                "refine_every, repair_every, fuse_keyframes: 0 or more; repair_share: more than 0, up to 1"
            )


class Evs:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._config, self._parts = config, parts

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``; adds per carried picture the displacements to its sources and their weights."""
        config, parts = self._config, self._parts
        network_size = parts.input_size(clip.height, clip.width)
        scanned = scan(
            frames,
            small_size=small_size(network_size, config.motion_side),
            network_size=network_size,
            may_choose=self._may_need,
            is_wanted=lambda number: drawn(clip.video_id, clip.start + number, parts.audit),
            cut_threshold=parts.cut_threshold,
        )
        both = config.direction == "both"
        sources = Sources(self._config, parts, scanned, network_size)
        keyframes: list[int] = []
        chosen_by_run = choose_keyframes(scanned, parts.schedule, parts.flow, closed=both)
        for run, chosen in zip(scanned.runs, chosen_by_run, strict=True):
            keyframes += chosen
            for first, last in pairwise(chosen):
                if both:
                    sources.between(first, last, origin=run.start)
                else:
                    sources.after(first, last)
                    sources.vote(first, last)
            if not both:
                sources.after(chosen[-1], run.stop)
        pictures = audited(scanned, keyframes, clip, parts.audit)
        seen = sorted({*keyframes, *pictures, *(p - 1 for p in pictures)})
        inputs = sources.inputs()  # before the pixels are taken
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=np.array(keyframes, np.int32),
            network_pictures=np.array(seen, np.int32),
            pixels=scanned.take(seen),
            inputs=inputs,
            motion={**sources.motion(keyframes), **audit_motion(scanned.planes, pictures, parts.flow)},
        )

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        height, width = prepared.clip.height, prepared.clip.width
        maps = Maps(self._config, prepared, inferred)
        keyframes = set(prepared.keyframes.tolist())
        motion = prepared.motion
        audits = {int(picture): i for i, picture in enumerate(motion["audited"])}
        rows = {int(picture): i for i, picture in enumerate(motion["carried"])}
        for picture in range(int(prepared.picture_of_frame[-1]) + 1):
            ids = upsample_labels(maps.of(picture), height, width)
            if picture in keyframes:
                yield Labels(ids=ids, is_keyframe=True, key_distance=0, unreliable=0.0)
                continue
            audit = None
            if picture in audits:
                here, predecessor = maps.own(picture), maps.own(picture - 1)
                audit = compare(ids, here, warp(predecessor, widened(motion["audit_flow"][audits[picture]])))
            row = rows[picture]
            yield Labels(
                ids=ids,
                is_keyframe=False,
                key_distance=int(motion["distance"][row]),
                unreliable=float(motion["unreliable"][row]),
                audit=audit,
            )

    def _may_need(self, index: int, seconds: float, previous_seconds: float) -> bool:
        config = self._config
        if config.refine_every or (config.repair_every and index % config.repair_every == 0):
            return True
        return self._parts.schedule.may_choose(index, seconds, previous_seconds)


def describe(config: Config, base: Description) -> str:
    """The digest of the refiner's weights; empty where it uses the network's.

    Raises:
        ModelError: They belong to another network; or there is to be a refiner of a network that has no parts.
    """
    if config.refine_every and base.network not in SPLIT and "." not in base.network:
        raise ModelError(
            f"method.refine_every is {config.refine_every}, but the segmenter has {base.network or 'no network'} to "
            f"split into shallow and deep features; wanted {' or '.join(SPLIT)}, or refine_every: 0"
        )
    if config.weights is None:
        return ""
    from vss_ray.methods import _weights

    return _weights.check(config.weights, "evs", base)


def takes_apart(config: Config) -> bool:
    """Whether the second stage runs parts of the network, which only exist in floats."""
    return bool(config.refine_every)


def build_inference(config: Config, base: Base) -> Inference:
    """The second stage: the network, and where they are asked for tiles and the refiner."""
    from vss_ray.inference.every_picture import EveryPicture
    from vss_ray.inference.repairing import Repairing

    if config.refine_every:
        from vss_ray.inference.evs import Refining  # loads torch, which the others do without

        return Refining(config, base)
    return Repairing(base) if config.repair_every else EveryPicture(base)


build = Evs
