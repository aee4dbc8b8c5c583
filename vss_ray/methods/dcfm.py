"""DCFM: pictures are labelled from their own early features and the deep ones of the keyframes around them.

Zheng, Yang, Huang, IEEE TCSVT 2024. Nothing recurs: every picture depends on itself and on its keyframes alone.
``mode: both`` is the paper's B mode, the previous and the next keyframe; ``previous`` its P mode. The paper uses deep
features where they are (``align: false``, predictions of two keyframes added); carried along the motion they stay
useful much farther from the keyframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.intervals import choose_keyframes
from vss_ray.methods import Parts
from vss_ray.methods._interval import Interval, Settings, small_size
from vss_ray.methods._weights import check
from vss_ray.networks import stored
from vss_ray.ops.upsample import upsample_labels
from vss_ray.scan import Scan, scan
from vss_ray.segmenters import Description

if TYPE_CHECKING:
    from vss_ray.inference import Base, Inference


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Which modules, and which keyframes a picture is given; the fields of ``Settings`` say how motion is followed."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: str = "dcfm_mobilenet_v2_camvid"
    """A file of vss_ray/weights by name, or the path of a .safetensors file; made by ``vss train dcfm``."""
    mode: Literal["both", "previous"] = "both"
    align: bool = True
    """Carry the deep features of keyframes along the motion before they are used, those of two keyframes blended as
    method evs does; False uses them where they are, as published."""


class Dcfm:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        if parts.audit > 0:
            raise ConfigError("audit: works with method evs, not with dcfm; leave it out")
        self._config, self._parts = config, parts

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``; the network sees every picture, but only keyframes wholly."""
        parts, both = self._parts, self._config.mode == "both"
        height, width = parts.input_size(clip.height, clip.width)
        scanned = scan(
            frames,
            small_size=small_size((height, width), self._config.motion_side),
            network_size=(height, width),
            may_choose=lambda *_: True,
            is_wanted=lambda _: False,
            cut_threshold=parts.cut_threshold,
        )
        chosen = choose_keyframes(scanned, parts.schedule, parts.flow, closed=both)
        keyframes = [key for keys in chosen for key in keys]
        inputs, unreliable = self._motion(scanned, chosen)
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=np.array(keyframes, np.int32),
            network_pictures=np.arange(len(scanned.planes), dtype=np.int32),
            pixels=scanned.take(range(len(scanned.planes))),
            inputs=inputs,
            motion={"distance": _distances(keyframes, len(scanned.planes), both), "unreliable": unreliable},
        )

    def _motion(self, scanned: Scan, chosen: list[list[int]]) -> tuple[dict[str, NDArray], NDArray[np.float32]]:
        """For every picture the way to its keyframes, and the share of cells where that is not to be trusted.

        Zero on keyframes. ``weight`` is that of the earlier of two.
        """
        both, grid = self._config.mode == "both", scanned.planes[0].u.shape
        count = len(scanned.planes)
        unreliable = np.zeros(count, np.float32)
        if not self._config.align:
            return {}, unreliable
        fields = np.zeros((2 if both else 1, count, *grid, 2), np.float16)
        weight = np.ones((count, *grid), np.float16)
        for run, keyframes in zip(scanned.runs, chosen, strict=True):
            for first, stop in pairwise([*keyframes, run.stop]):
                if stop - first < 2:
                    continue
                last = stop if both else stop - 1
                interval = Interval(scanned, first, last, self._parts.flow, self._config, both=both)
                for picture in range(first + 1, stop):
                    carried = interval.carry(picture) if both else interval.carry_forward(picture)
                    fields[0, picture], unreliable[picture] = carried.to_before[..., :2], carried.unreliable
                    if carried.to_after is not None:
                        fields[1, picture], weight[picture] = carried.to_after[..., :2], carried.weight
        return {"to_before": fields[0], **({"to_after": fields[1], "weight": weight} if both else {})}, unreliable

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        height, width = prepared.clip.height, prepared.clip.width
        columns = (prepared.motion[name].tolist() for name in ("distance", "unreliable"))
        for scores, distance, unreliable in zip(inferred.scores, *columns, strict=True):
            ids = upsample_labels(scores, height, width)
            yield Labels(ids=ids, is_keyframe=distance == 0, key_distance=distance, unreliable=unreliable)


def describe(config: Config, base: Description) -> str:
    """sha256 of the weights, once they are known to fit.

    Raises:
        ModelError: There are no such weights, or they belong to another method, other classes, or another segmenter.
    """
    return check(config.weights, "dcfm", base)


def build_inference(config: Config, base: Base) -> Inference:
    """The second stage; see ``vss_ray.inference.dcfm``."""
    from vss_ray.inference import dcfm

    weights = stored.locate("method.weights", config.weights)
    return dcfm.CommonFeatures(weights, base, both=config.mode == "both", align=config.align)


def _distances(keyframes: list[int], num_pictures: int, both: bool) -> NDArray[np.int32]:
    """(D,) pictures to the keyframe that each was given, the nearer one of two."""
    distances = np.zeros(num_pictures, np.int32)
    for first, stop in pairwise([*keyframes, num_pictures]):
        ahead = np.arange(stop - first)
        distances[first:stop] = np.minimum(ahead, (stop - first) - ahead) if both else ahead
    return distances


build = Dcfm
