"""EVS: labels of keyframes are carried along optical flow (Paul et al., WACV 2020; thesis chapter 3), from both sides.

What the thesis does online with the last keyframe, this does offline with both enclosing ones: displacements are
composed and the keyframes' probabilities sampled once, the two are blended by distance, by how alike picture and warped
keyframe look, and by how consistent the motion is. ``direction: forward`` uses the last keyframe alone, as the thesis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.audit import audit_motion, audited, compare
from vss_ray.clips import Clip
from vss_ray.frames import Frame, Inferred, Labels, Planes, Prepared
from vss_ray.methods import Parts
from vss_ray.ops import motion
from vss_ray.ops.blend import photometric_error, trust
from vss_ray.ops.upsample import upsample_labels
from vss_ray.ops.warp import blend_warped, resize_displacement, warp
from vss_ray.scan import Scan, drawn, scan
from vss_ray.signals import Signals

WEIGHT_LEVELS = 255
SHORTEST_STEP = 1e-6
"""Seconds; broken files give two pictures one time."""
SMALLEST_TRUST = np.float32(1e-12)
"""Where neither keyframe is like the picture at all, both weigh nothing and the later one is taken."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How labels travel. Defaults were chosen on the CamVid drive; configs/README.md has the rows."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    direction: Literal["both", "forward"] = "both"
    motion_side: int = 176
    """Short side of the pictures that flow is solved on, pixels; displacements live on half of it."""
    motion_hz: float = 15.0
    """Flow is solved between pictures about 1/motion_hz seconds apart; those between move evenly."""
    anchor_every: int = 4
    """Flow steps from one direct search against the keyframe to the next; 0 never searches."""
    distance_power: float = 0.25
    error_scale: float = 4.0
    """Gray levels of photometric error that cost a keyframe a factor e."""
    error_window: int = 3
    """Side of the box over which that error is averaged, cells of the score grid."""
    inconsistency_scale: float = 8.0
    """Cells of forward-backward error that cost a keyframe a factor e."""
    unreliable_error: float = 16.0
    """Gray levels of photometric error, on the better side, from which the motion of a pixel counts as inconsistent."""
    unreliable_inconsistency: float = 8.0
    """The same for the forward-backward error summed along the way, cells."""


class Evs:
    """See the module."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self._config, self._parts = config, parts

    def prepare(self, clip: Clip, frames: Iterable[Frame]) -> Prepared:
        """See ``Method``; adds per carried picture the displacements to its keyframes and their weights."""
        parts = self._parts
        network_size = parts.input_size(clip.height, clip.width)
        scanned = scan(
            frames,
            small_size=_small_size(network_size, self._config.motion_side),
            network_size=network_size,
            may_choose=parts.schedule.may_choose,
            is_wanted=lambda number: drawn(clip.video_id, clip.start + number, parts.audit),
            cut_threshold=parts.cut_threshold,
        )
        keyframes: list[int] = []
        carried: list[_Carried] = []
        for run in scanned.runs:
            chosen = self._keyframes(scanned, run)
            keyframes += chosen
            for first, last in pairwise(chosen):
                carried += self._carry(scanned, first, last)
            if chosen[-1] != run[-1]:
                carried += self._carry(scanned, chosen[-1], run[-1] + 1)
        pictures = audited(scanned, keyframes, clip, parts.audit)
        grid = scanned.planes[0].u.shape
        seen = sorted({*keyframes, *pictures, *(p - 1 for p in pictures)})
        return Prepared(
            clip=clip,
            pts_seconds=scanned.seconds,
            picture_of_frame=scanned.picture_of_frame,
            keyframes=np.array(keyframes, np.int32),
            network_pictures=np.array(seen, np.int32),
            pixels=np.stack([scanned.pixels[i] for i in seen]),
            motion={**_stack(carried, grid), **audit_motion(scanned.planes, pictures, parts.flow)},
        )

    def finish(self, prepared: Prepared, inferred: Inferred) -> Iterator[Labels]:
        """See ``Method``."""
        height, width = prepared.clip.height, prepared.clip.width
        place = {int(picture): i for i, picture in enumerate(prepared.network_pictures)}
        keyframes = set(prepared.keyframes.tolist())
        scores = _Recent(inferred.scores)
        carried = prepared.motion
        audits = {int(picture): i for i, picture in enumerate(carried["audited"])}
        following = 0
        for picture in range(int(prepared.picture_of_frame[-1]) + 1):
            if picture in keyframes:
                ids = upsample_labels(scores[place[picture]], height, width)
                yield Labels(ids=ids, is_keyframe=True, key_distance=0, unreliable=0.0)
                continue
            i, following = following, following + 1
            before = scores[place[int(carried["before"][i])]]
            to_before = _on_grid(carried["to_before"][i], before)
            if carried["after"][i] < 0:
                mixed = warp(before, to_before)
            else:
                after = scores[place[int(carried["after"][i])]]
                to_after = _on_grid(carried["to_after"][i], after)
                weight = carried["weight"][i].astype(np.float32) / WEIGHT_LEVELS
                weight = cv2.resize(weight, to_after.shape[1::-1]) if weight.shape != to_after.shape[:2] else weight
                mixed = blend_warped(before, to_before, after, to_after, weight)  # type: ignore[arg-type]
            ids = upsample_labels(mixed, height, width)
            audit = None
            if picture in audits:
                here, predecessor = scores[place[picture]], scores[place[picture - 1]]
                audit = compare(ids, here, warp(predecessor, _on_grid(carried["audit_flow"][audits[picture]], here)))
            yield Labels(
                ids=ids,
                is_keyframe=False,
                key_distance=int(carried["distance"][i]),
                unreliable=float(carried["unreliable"][i]),
                audit=audit,
            )

    def _keyframes(self, scanned: Scan, run: range) -> list[int]:
        """Pictures of the clip; with both directions the last of the run is one, so that nothing hangs on one side."""
        planes = [scanned.planes[i] for i in run]
        seconds = scanned.picture_seconds[run.start : run.stop]
        chosen = self._parts.schedule.choose(Signals(planes, seconds, self._parts.flow))
        if self._config.direction == "both" and chosen[-1] != len(run) - 1:
            chosen = [*chosen, len(run) - 1]
        return [run.start + i for i in chosen]

    def _carry(self, scanned: Scan, first: int, stop: int) -> list[_Carried]:
        """Motion of the pictures strictly between keyframe ``first`` and ``stop``, a keyframe or the end of a run."""
        if stop - first < 2:
            return []
        config, flow = self._config, self._parts.flow
        both = config.direction == "both"
        last = stop if both else stop - 1
        solved = _solved(scanned.picture_seconds, first, last, config.motion_hz)
        gray = [scanned.planes[i].y for i in solved]
        grid = scanned.planes[first].u.shape
        back, onward = motion.steps_between(gray, flow, grid)
        from_first = motion.chain(gray[0], gray[1:], back, flow, config.anchor_every)
        from_last = motion.chain(gray[-1], gray[-2::-1], onward[::-1], flow, config.anchor_every)[::-1] if both else []
        colors = {key: _colors(scanned.planes[key]) for key in (first, last)}
        carried = []
        segment = 0
        for picture in range(first + 1, stop):
            while solved[segment + 1] < picture:
                segment += 1
            start, end = (scanned.picture_seconds[solved[segment + i]] for i in (0, 1))
            share = float((scanned.picture_seconds[picture] - start) / max(end - start, SHORTEST_STEP))
            is_solved = solved[segment + 1] == picture
            here = _colors(scanned.planes[picture])
            to_first = (
                from_first[segment + 1]
                if is_solved
                else motion.advance(from_first[segment], motion.part_of(back[segment], share, onward[segment]))
            )
            error = photometric_error(here, colors[first], to_first[..., :2], config.error_window)
            if not both:
                unreliable = self._share(error, to_first[..., 2])
                carried.append(_Carried(picture, first, -1, picture - first, to_first, to_first, None, unreliable))
                continue
            to_last = (
                from_last[segment + 1]
                if is_solved
                else motion.advance(from_last[segment + 1], motion.part_of(onward[segment], 1 - share, back[segment]))
            )
            error_last = photometric_error(here, colors[last], to_last[..., :2], config.error_window)
            nearness = (last - picture) / (last - first)
            trusted_first = self._trust(nearness, error, to_first)
            trusted_last = self._trust(1 - nearness, error_last, to_last)
            weight = np.divide(
                trusted_first, np.maximum(trusted_first + trusted_last, SMALLEST_TRUST), dtype=np.float32
            )
            distance = min(picture - first, last - picture)
            unreliable = self._share(np.minimum(error, error_last), np.minimum(to_first[..., 2], to_last[..., 2]))
            carried.append(_Carried(picture, first, last, distance, to_first, to_last, weight, unreliable))
        return carried

    def _trust(self, nearness: float, error: NDArray[np.float32], field: NDArray[np.float32]) -> NDArray[np.float32]:
        c = self._config
        return trust(
            nearness,
            error,
            field[..., 2],
            distance_power=c.distance_power,
            error_scale=c.error_scale,
            inconsistency_scale=c.inconsistency_scale,
        )

    def _share(self, error: NDArray[np.float32], inconsistency: NDArray[np.float32]) -> float:
        c = self._config
        return float(np.mean((error > c.unreliable_error) | (inconsistency > c.unreliable_inconsistency)))


@dataclass(frozen=True)
class _Carried:
    """Where the labels of one picture come from."""

    picture: int
    before: int
    after: int
    """-1: no later keyframe is used."""
    distance: int
    to_before: NDArray[np.float32]
    to_after: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    unreliable: float


class _Recent:
    """Score maps as float32; only the last few are kept."""

    def __init__(self, scores: NDArray[np.float16]) -> None:
        self._scores, self._recent = scores, dict[int, NDArray[np.float32]]()

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        if index not in self._recent:
            while len(self._recent) >= 4:
                del self._recent[next(iter(self._recent))]
            self._recent[index] = self._scores[index].astype(np.float32)
        return self._recent[index]


def _small_size(network_size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) with the network's aspect and the wanted short side, both even."""
    scale = min(side / min(network_size), 1.0)
    height, width = (max(2, round(length * scale / 2) * 2) for length in network_size)
    return height, width


def _solved(seconds: NDArray[np.float64], first: int, last: int, hz: float) -> list[int]:
    """Pictures between which flow is solved: ``first``, ``last``, and others about 1/hz apart."""
    chosen = [first]
    for picture in range(first + 1, last):
        # Three quarters: at 25 frames/s and 15 Hz every second picture is meant, not every third.
        if seconds[picture] - seconds[chosen[-1]] >= 0.75 / hz:
            chosen.append(picture)
    return [*chosen, last]


def _colors(planes: Planes) -> NDArray[np.uint8]:
    """(h/2, w/2, 3): luma brought to the size of chroma."""
    height, width = planes.u.shape
    return cv2.merge([cv2.resize(planes.y, (width, height), interpolation=cv2.INTER_AREA), planes.u, planes.v])  # type: ignore[return-value]


def _on_grid(displacement: NDArray[np.float16], scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return resize_displacement(displacement.astype(np.float32), *scores.shape[:2])


def _stack(carried: Sequence[_Carried], grid: tuple[int, ...]) -> dict[str, NDArray]:
    """Columns of ``Prepared.motion``: half precision is 1/32 of a cell at 64 cells, far under the flow's own error."""
    empty = np.zeros((0, *grid, 2), np.float16)
    both = [c for c in carried if c.weight is not None]
    return {
        "before": np.array([c.before for c in carried], np.int32),
        "after": np.array([c.after for c in carried], np.int32),
        "distance": np.array([c.distance for c in carried], np.int32),
        "unreliable": np.array([c.unreliable for c in carried], np.float32),
        "to_before": np.stack([c.to_before[..., :2].astype(np.float16) for c in carried]) if carried else empty,
        "to_after": np.stack([c.to_after[..., :2].astype(np.float16) for c in both]) if both else empty,
        "weight": np.stack([np.rint(c.weight * WEIGHT_LEVELS).astype(np.uint8) for c in both])  # type: ignore[operator]
        if both
        else np.zeros((0, *grid), np.uint8),
    }


build = Evs
