"""GSVNet: a small network carries scores from every picture to the next (Lee, Chen, Peng, ICME 2021).

The first stage keeps every picture at an eighth of the network's size, which is all that the small network sees; the
second runs it from keyframe to keyframe. The paper uses the last keyframe alone; with ``direction: both`` the next one
is carried backwards too, and the two are blended by distance. See ``vss_ray.networks.gsvnet`` for the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame, Inferred, Labels, Prepared
from vss_ray.intervals import choose_keyframes
from vss_ray.methods import Parts
from vss_ray.methods._weights import check
from vss_ray.networks import stored
from vss_ray.ops.upsample import upsample_labels
from vss_ray.ops.warp import resize_displacement
from vss_ray.scan import Scan, scan
from vss_ray.segmenters import Description

if TYPE_CHECKING:
    from vss_ray.inference import Base, Inference

NET_STRIDE = 8
"""Pixels of the network's input per cell of the small pictures, along one side."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which small network, from which side, along which motion."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    weights: str = "gsvnet_mobilenet_v2_camvid"
    """A file of vss_ray/weights by name, or the path of a .safetensors file; made by ``vss train gsvnet``."""
    direction: Literal["forward", "both"] = "forward"
    flow: Literal["learned", "solved"] = "learned"
    """``learned``: by the network's light flow net. ``solved``: by the operating point's ``flow``, in stage one."""


class GsvNet:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        if parts.audit > 0:
            raise ConfigError("audit: works with method evs, not with gsvnet; leave it out")
        self._config, self._parts = config, parts

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``; ``inputs`` holds every picture at 1/8 and, where solved, its motion to its neighbors."""
        parts, both = self._parts, self._config.direction == "both"
        height, width = parts.input_size(clip.height, clip.width)
        grid = height // NET_STRIDE, width // NET_STRIDE
        small: list[NDArray[np.uint8]] = []

        def watched() -> Iterator[Frame]:
            for frame in frames:
                small.append(frame.rgb(*grid))
                yield frame

        scanned = scan(
            watched(),
            small_size=(2 * grid[0], 2 * grid[1]),
            network_size=(height, width),
            may_choose=parts.schedule.may_choose,
            is_wanted=lambda _: False,
            cut_threshold=parts.cut_threshold,
        )
        chosen = choose_keyframes(scanned, parts.schedule, parts.flow, closed=both)
        keyframes = list(chain.from_iterable(chosen))
        first_frames = np.unique(scanned.picture_of_frame, return_index=True)[1]
        inputs = {"small": np.stack([small[i] for i in first_frames])}
        if self._config.flow == "solved":
            inputs |= self._solved(scanned, both, grid)
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=np.array(keyframes, np.int32),
            network_pictures=np.array(keyframes, np.int32),
            pixels=scanned.take(keyframes),
            inputs=inputs,
            motion={"distance": _distances(chosen, scanned, both)},
        )

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        height, width = prepared.clip.height, prepared.clip.width
        for scores, distance in zip(inferred.scores, prepared.motion["distance"].tolist(), strict=True):
            ids = upsample_labels(scores, height, width)
            yield Labels(ids=ids, is_keyframe=distance == 0, key_distance=distance, unreliable=0.0)

    def _solved(self, scanned: Scan, both: bool, grid: tuple[int, int]) -> dict[str, NDArray]:
        """Displacements (D, h, w, 2) float16 in cells to the previous and the next picture; zero without a neighbor."""
        fields = {"to_previous": np.zeros((len(scanned.planes), *grid, 2), np.float16)}
        if both:
            fields["to_next"] = np.zeros_like(fields["to_previous"])
        for before, after in chain.from_iterable(pairwise(run) for run in scanned.runs):
            gray = scanned.planes[before].y, scanned.planes[after].y
            fields["to_previous"][after] = resize_displacement(self._parts.flow(gray[1], gray[0]), *grid)
            if both:
                fields["to_next"][before] = resize_displacement(self._parts.flow(gray[0], gray[1]), *grid)
        return fields


def describe(config: Config, base: Description) -> str:
    """sha256 of the weights, once they are known to fit.

    Raises:
        ModelError: There are no such weights, or they belong to another method, other classes, or another segmenter.
    """
    return check(config.weights, "gsvnet", base)


def build_inference(config: Config, base: Base) -> Inference:
    """The second stage; see ``vss_ray.inference.gsvnet``."""
    from vss_ray.inference import gsvnet

    weights = stored.locate("method.weights", config.weights)
    return gsvnet.Carrying(weights, base, both=config.direction == "both")


def _distances(chosen: list[list[int]], scanned: Scan, both: bool) -> NDArray[np.int32]:
    """(D,) pictures to the keyframe that each was carried from, the nearer one of two."""
    distances = np.zeros(len(scanned.planes), np.int32)
    for run, keyframes in zip(scanned.runs, chosen, strict=True):
        for first, stop in pairwise([*keyframes, run.stop]):
            ahead = np.arange(stop - first)
            # Behind the last keyframe of a run there is nothing to come back from; with both it is the run's last.
            distances[first:stop] = np.minimum(ahead, (stop - first) - ahead) if both else ahead
    return distances


build = GsvNet
