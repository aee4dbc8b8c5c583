"""Connected regions of labels linked into tracks, from frame to frame: objects that nobody pointed at.

The map of objects of the frame before is carried along the flow; a region continues the object whose carried region of
the same class overlaps it most. Where nothing does, the region may be an object that was hidden for moments: one of its
class, near where it was heading, of about its size and colors. What is left begins an object, and gets its number when
it was seen on ``confirm`` frames in a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Planes
from vss_ray.tracking.tracker import State

LEVELS = (4, 8, 8)
"""Of luma and chroma in a histogram."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """When two regions are one object."""

    overlap: float = 0.2
    """IoU with the carried region from which a region continues an object."""
    hidden_seconds: float = 2.0
    """How long an object may be away and keep its number; no longer than it was there."""
    likeness: float = 0.6
    """Of colors (histogram intersection, 0 to 1) from which an object may have come back."""
    reach: float = 1.0
    """How far from where it was heading it may come back, in its own sizes; one more every second."""
    growth: float = 2.5
    """Ratio of areas up to which it may be the same."""
    confirm: int = 3
    """Frames in a row on which an object is seen before it counts."""


@dataclass(frozen=True)
class Region:
    """A connected region of one class, in a small picture."""

    label: int
    """In the map of regions."""
    class_id: int
    area: int
    """Pixels."""
    center: tuple[float, float]
    """(y, x)"""


@dataclass(frozen=True)
class Linked:
    """What a region is, or that an object is not seen."""

    track: int
    class_id: int
    label: int | None
    """Of its region; None: it is not seen."""
    score: float
    """Overlap or likeness, 0 to 1."""
    state: State


@dataclass(frozen=True)
class _Track:
    number: int
    """0: it has none yet."""
    class_id: int
    center: tuple[float, float]
    velocity: tuple[float, float]
    """(down, right) pixels a second."""
    area: int
    colors: tuple[int, ...]
    """Histogram, in 1/255 of its sum."""
    seen: int
    """Frames in a row."""
    first_seconds: float
    last_seconds: float


@dataclass
class Linker:
    """Links the frames of a video in order.

    Args:
        config: Rules.
        first: The first number that is given.
    """

    config: Config
    first: int
    _tracks: list[_Track] = field(default_factory=list)
    _map: NDArray[np.int32] | None = None
    """(h, w) place in ``_tracks`` and 1, of the frame before; 0: no object."""
    _given: int = 0

    def cut(self) -> None:
        """The next frame begins another shot: no object goes on."""
        self._tracks, self._map = [], None

    def step(
        self,
        regions: NDArray[np.int32],
        found: Iterable[Region],
        planes: Planes,
        back: NDArray[np.float32] | None,
        seconds: float,
    ) -> list[Linked]:
        """Link the regions of the next frame.

        Args:
            regions: (h, w) ``Region.label`` per pixel, 0 where there is none.
            found: All of them.
            planes: The picture at that size.
            back: (h, w, 2) where every pixel was a frame before, relative, (right, down); None on the first frame.
            seconds: Time of the frame.
        """
        pending = {region.label: region for region in found}
        colors = {label: _histogram(planes, regions == label) for label in pending}
        links = self._continued(regions, pending, back)
        known = {track for track, _ in links.values()}
        links |= self._returned(pending, colors, known, links, seconds)
        taken = {track: (pending[label], score) for label, (track, score) in links.items()}
        tracks, told, places = [], [], np.zeros(max(pending, default=0) + 1, np.int32)
        for place, track in enumerate(self._tracks):
            region, score = taken.get(place, (None, 0.0))
            kept, linked = self._moved(track, region, score, colors, seconds)
            told += linked
            if kept is not None:
                tracks.append(kept)
                if region is not None:
                    places[region.label] = len(tracks)
        for label, region in pending.items():
            if label not in links:
                about = region.class_id, region.center, (0.0, 0.0), region.area, colors[label]
                tracks.append(_Track(0, *about, 1, seconds, seconds))
                places[label] = len(tracks)
        self._tracks, self._map = tracks, places[regions]
        return told

    def state(self) -> tuple[str, NDArray[np.int32] | None]:
        """All that is known, as JSON and a map."""
        return json.dumps({"given": self._given, "tracks": [asdict(each) for each in self._tracks]}), self._map

    def resume(self, numbers: dict[str, Any], places: NDArray[np.int32] | None) -> None:
        """Go on from ``state``."""
        rows: list[dict[str, Any]] = [
            {k: tuple(v) if isinstance(v, list) else v for k, v in each.items()} for each in numbers["tracks"]
        ]
        self._tracks, self._given = [_Track(**row) for row in rows], int(numbers["given"])
        self._map = places

    def _continued(
        self, regions: NDArray[np.int32], pending: dict[int, Region], back: NDArray[np.float32] | None
    ) -> dict[int, tuple[int, float]]:
        """Label -> place of the track and overlap, of regions that lie where an object has moved to."""
        if self._map is None or back is None or self._map.shape != regions.shape or not self._tracks:
            return {}
        carried = _carried(self._map, back)
        size = len(self._tracks) + 1
        pairs, shared = np.unique(regions.astype(np.int64) * size + carried, return_counts=True)
        areas = np.bincount(carried.ravel(), minlength=size)
        candidates = []
        for pair, count in zip(pairs.tolist(), shared.tolist(), strict=True):
            label, place = divmod(pair, size)
            if label and place and self._tracks[place - 1].class_id == pending[label].class_id:
                overlap = count / (pending[label].area + int(areas[place]) - count)
                if overlap >= self.config.overlap:
                    candidates.append((overlap, label, place - 1))
        return _best(candidates)

    def _returned(
        self,
        pending: dict[int, Region],
        colors: dict[int, tuple[int, ...]],
        known: set[int],
        links: dict[int, tuple[int, float]],
        seconds: float,
    ) -> dict[int, tuple[int, float]]:
        """The same of regions that look like an object that was away."""
        candidates = []
        for place, track in enumerate(self._tracks):
            if place in known or not track.number:
                continue
            away = seconds - track.last_seconds
            heading = [c + v * away for c, v in zip(track.center, track.velocity, strict=True)]
            reach = self.config.reach * (1 + away) * track.area**0.5
            for label, region in pending.items():
                ratio = max(region.area, track.area) / min(region.area, track.area)
                distance = float(np.hypot(region.center[0] - heading[0], region.center[1] - heading[1]))
                if label in links or region.class_id != track.class_id or ratio > self.config.growth:
                    continue
                likeness = _likeness(colors[label], track.colors)
                if distance <= reach and likeness >= self.config.likeness:
                    candidates.append((likeness * (1 - distance / (2 * reach)), label, place))
        return _best(candidates)

    def _moved(
        self,
        track: _Track,
        region: Region | None,
        score: float,
        colors: dict[int, tuple[int, ...]],
        seconds: float,
    ) -> tuple[_Track | None, list[Linked]]:
        """A track after the frame, None where it ends, and what is to be told of it."""
        away = seconds - track.last_seconds
        if region is None:
            if not track.number:
                return None, []
            patience = min(self.config.hidden_seconds, track.last_seconds - track.first_seconds)
            state: State = "occluded" if away <= patience else "lost"
            kept = replace(track, seen=0) if state == "occluded" else None
            return kept, [Linked(track.number, track.class_id, None, 0.0, state)]
        returns = track.number > 0 and track.seen == 0
        step = [(new - old) / max(away, 1e-3) for new, old in zip(region.center, track.center, strict=True)]
        velocity = tuple(0.7 * old + 0.3 * new for old, new in zip(track.velocity, step, strict=True))
        number = track.number
        if not number and track.seen + 1 >= self.config.confirm:
            self._given += 1
            number = self.first + self._given - 1
        kept = _Track(
            number,
            track.class_id,
            region.center,
            (0.0, 0.0) if returns else (velocity[0], velocity[1]),
            region.area,
            _blended(track.colors, colors[region.label]),
            track.seen + 1,
            track.first_seconds,
            seconds,
        )
        state = "found" if returns else "tracked"
        return kept, [Linked(number, track.class_id, region.label, score, state)] if number else []


def regions_of(ids: NDArray, class_ids: Iterable[int], smallest: float) -> tuple[NDArray[np.int32], list[Region]]:
    """Connected regions of some classes in ``ids`` (H, W) that cover at least a share ``smallest`` of the picture.

    Returns:
        (H, W) labels, and the regions.
    """
    labels, found = np.zeros(ids.shape, np.int32), []
    for class_id in class_ids:
        mask = (ids == class_id).astype(np.uint8)
        if not mask.any():
            continue
        count, parts, stats, centers = cv2.connectedComponentsWithStats(mask, connectivity=8)
        kept = np.zeros(count, np.int32)
        for number in range(1, count):
            area = int(stats[number, cv2.CC_STAT_AREA])
            if area >= smallest * ids.size:
                kept[number] = len(found) + 1
                x, y = centers[number].tolist()
                found.append(Region(len(found) + 1, class_id, area, (y, x)))
        np.add(labels, kept[parts], out=labels)
    return labels, found


def _best(candidates: list[tuple[float, int, int]]) -> dict[int, tuple[int, float]]:
    """The best pairs first, every label and every track once."""
    links: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for score, label, place in sorted(candidates, key=lambda each: (-each[0], each[1], each[2])):
        if label not in links and place not in taken:
            links[label] = place, score
            taken.add(place)
    return links


def _carried(places: NDArray[np.int32], back: NDArray[np.float32]) -> NDArray[np.int64]:
    height, width = places.shape
    rows, columns = np.mgrid[:height, :width]
    x = np.clip(np.rint(columns + back[..., 0]), 0, width - 1).astype(np.intp)
    y = np.clip(np.rint(rows + back[..., 1]), 0, height - 1).astype(np.intp)
    return places[y, x].astype(np.int64)


def _histogram(planes: Planes, mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Colors under a mask (h, w), in 1/255 of all."""
    luma, blue, red = LEVELS
    half = mask[: 2 * planes.u.shape[0] : 2, : 2 * planes.u.shape[1] : 2]
    if not half.any():
        half = np.ones_like(half)
    y = planes.y[: 2 * planes.u.shape[0] : 2, : 2 * planes.u.shape[1] : 2][half].astype(np.intp) * luma >> 8
    u, v = (plane[half].astype(np.intp) for plane in (planes.u, planes.v))
    # Chroma of daylight keeps to the middle: the levels divide the inner half.
    u, v = ((np.clip(each, 64, 191) - 64) * levels >> 7 for each, levels in ((u, blue), (v, red)))
    counts = np.bincount((y * blue + u) * red + v, minlength=luma * blue * red)
    return tuple((counts * 255 // counts.sum()).tolist())


def _likeness(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    smaller, larger = np.minimum(one, other).sum(), max(sum(one), sum(other))
    return float(smaller) / max(1, larger)


def _blended(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(((9 * np.array(old) + np.array(new) + 5) // 10).tolist())
