"""Where the scores of every picture of a clip come from, collected interval by interval: the first stage of EVS."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.methods import Parts
from vss_ray.methods._interval import Carried, Interval, still
from vss_ray.methods._maps import WEIGHT_LEVELS
from vss_ray.ops import fields
from vss_ray.ops.tiles import tile
from vss_ray.scan import Scan

if TYPE_CHECKING:
    from vss_ray.methods.evs import Config


class Sources:
    """Collects, interval by interval, where the scores of every picture come from."""

    def __init__(self, config: Config, parts: Parts, scanned: Scan, network_size: tuple[int, int]) -> None:
        self._config, self._flow, self._scanned = config, parts.flow, scanned
        self._size = network_size
        self._tiling = tile(*network_size, config.repair_tile)
        self._carried: list[Carried] = []
        self._tiles: list[tuple[int, int]] = []
        self._refined: list[tuple[int, NDArray[np.float32]]] = []
        self._fused: list[tuple[int, int, NDArray[np.float32], NDArray[np.float32]]] = []

    def between(self, first: int, last: int, origin: int) -> None:
        """Two keyframes and what lies between them; repaired pictures are sources themselves."""
        inside = range(first + 1, last)
        if not inside and not self._config.fuse_keyframes:
            return
        whole = self._interval(first, last, both=True)
        if self._config.fuse_keyframes:
            self._fused += [(first, last, *whole.first_from_last()), (last, first, *whole.last_from_first())]
        if not inside:
            return
        every = self._config.repair_every
        candidates = [whole.carry(p) for p in inside if every and (p - origin) % every == 0]
        repaired = self._doubtful(candidates)
        self._carried += [c for c in candidates if c.picture in repaired]
        for start, stop in pairwise([first, *repaired, last]):
            interval = self._interval(start, stop, both=True) if repaired else whole
            self._carried += [interval.carry(p) for p in range(start + 1, stop)]

    def vote(self, first: int, last: int) -> None:
        """A keyframe and its predecessor."""
        if self._config.fuse_keyframes:
            self._fused.append((last, first, *self._interval(first, last, both=False).last_from_first()))

    def after(self, first: int, stop: int) -> None:
        """A keyframe and what follows it; refined pictures are sources themselves."""
        every = self._config.refine_every
        refined = list(range(first + every, stop, every)) if every else []
        for start, end in pairwise([first, *refined, stop]):
            last = end if end in refined else end - 1
            if last == start:
                continue
            if not self._config.warp:
                self._carried += [still(self._scanned, p, first) for p in range(start + 1, last + 1)]
                continue
            two = end in refined and self._config.attention == "two_flow"
            interval = self._interval(start, last, both=two)
            self._carried += [interval.carry_forward(p) for p in range(start + 1, last + 1)]
            if end in refined:
                self._refined.append((end, interval.to_last(start) if two else -interval.to_first(end)))

    def inputs(self) -> dict[str, NDArray]:
        """For the second stage: tiles that the network sees again, pictures that are refined."""
        pixels = self._scanned.pixels
        inputs: dict[str, NDArray] = {}
        if self._config.repair_every:
            tiles = [self._tiling.cut(pixels[picture], index) for picture, index in self._tiles]
            shape = (0, self._tiling.height, self._tiling.width, 3)
            inputs["tiles"] = np.stack(tiles) if tiles else np.zeros(shape, np.uint8)
        if self._config.refine_every:
            shape = (0, *self._size, 3)
            refined = [pixels[picture] for picture, _ in self._refined]
            inputs["refined"] = np.stack(refined) if refined else np.zeros(shape, np.uint8)
        return inputs

    def motion(self, keyframes: Sequence[int]) -> dict[str, NDArray]:
        """For the third stage."""
        carried = sorted(self._carried, key=lambda c: c.picture)
        grid = self._scanned.planes[0].u.shape
        ids = np.array([c.picture for c in carried], np.int32)
        keys = np.array([*keyframes, np.iinfo(np.int32).max], np.int64)
        after = np.searchsorted(keys, ids)
        distance = ids - keys[after - 1] if len(ids) else ids
        both = self._config.direction == "both"
        if both and len(ids):
            distance = np.minimum(distance, keys[after] - ids)
        columns = {
            "carried": ids,
            "before": np.array([c.before for c in carried], np.int32),
            "after": np.array([c.after for c in carried], np.int32),
            "distance": distance.astype(np.int32),
            "unreliable": np.array([c.unreliable for c in carried], np.float32),
            "to_before": _stacked([c.to_before for c in carried], (*grid, 2), np.float16),
        }
        if both:
            columns["to_after"] = _stacked([c.to_after for c in carried], (*grid, 2), np.float16)  # type: ignore[misc]
            columns["weight"] = _levels([c.weight for c in carried], grid)  # type: ignore[misc]
        if self._config.repair_every:
            columns["tiles"] = np.array(self._tiles, np.int32).reshape(-1, 2)
            columns["network_size"] = np.array(self._size, np.int32)
        if self._config.refine_every:
            columns["refined"] = np.array([picture for picture, _ in self._refined], np.int32)
            columns["onward"] = _stacked([fields.halves(f) for _, f in self._refined], (*grid, 2), np.float16)
        if self._config.fuse_keyframes:
            columns["fused"] = np.array([(key, other) for key, other, _, _ in self._fused], np.int32).reshape(-1, 2)
            columns["fused_motion"] = _stacked([fields.halves(f) for _, _, f, _ in self._fused], (*grid, 2), np.float16)
            columns["fused_weight"] = _levels([weight for _, _, _, weight in self._fused], grid)
        return columns

    def _interval(self, first: int, last: int, *, both: bool) -> Interval:
        return Interval(self._scanned, first, last, self._flow, self._config, both=both)

    def _doubtful(self, candidates: Sequence[Carried]) -> list[int]:
        """Pictures with tiles to repair.

        Tiles are chosen one by one, the most doubtful first. A chosen tile serves the pictures around it as well: their
        doubt of the same tile shrinks with the way that is left to carry.
        """
        if not candidates:
            return []
        doubt = np.stack([self._tiling.means(c.doubt, *self._size) for c in candidates])
        pictures = np.array([c.picture for c in candidates])
        reach = np.array([min(c.picture - c.before, c.after - c.picture) for c in candidates])
        left = np.ones(doubt.shape)
        chosen = []
        for _ in range(max(1, round(self._config.repair_share * doubt.size))):
            candidate, index = np.unravel_index(np.argmax(doubt * left), doubt.shape)
            chosen.append((int(pictures[candidate]), int(index)))
            left[:, index] = np.minimum(left[:, index], np.abs(pictures - pictures[candidate]) / reach)
        self._tiles += sorted(chosen)
        return sorted({picture for picture, _ in chosen})


def _levels(weights: Sequence[NDArray[np.float32]], grid: tuple[int, ...]) -> NDArray[np.uint8]:
    return _stacked([cv2.convertScaleAbs(weight, alpha=WEIGHT_LEVELS) for weight in weights], grid, np.uint8)


def _stacked(arrays: Sequence[NDArray], shape: tuple[int, ...], dtype: type) -> NDArray:
    return np.stack(arrays) if len(arrays) else np.zeros((0, *shape), dtype)
