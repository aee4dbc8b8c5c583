"""Motion of all pictures between two others, and how much either of the two is to be trusted."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Planes
from vss_ray.ops import motion
from vss_ray.ops.blend import photometric_error, trust
from vss_ray.scan import Scan

SHORTEST_STEP = 1e-6
"""Seconds; broken files give two pictures one time."""
SMALLEST_TRUST = np.float32(1e-12)
"""Where neither source is like the picture at all, both weigh nothing and the later one is taken."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How motion is followed and trusted. Defaults were chosen on the CamVid drive; configs/README.md has the rows."""

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


@dataclass(frozen=True)
class Carried:
    """Where the scores of one picture come from."""

    picture: int
    before: int
    after: int
    """-1: no later source is used."""
    to_before: NDArray[np.float32]
    """(gh, gw, 3) displacement and the inconsistency summed along the way, in cells."""
    to_after: NDArray[np.float32] | None
    weight: NDArray[np.float32] | None
    """(gh, gw) of the earlier source."""
    unreliable: float
    """Share of cells."""
    doubt: NDArray[np.float32]
    """(gh, gw) how little the better source is to be trusted: minus the logarithm of its trust, distance apart."""


class Interval:
    """The pictures from ``first`` to ``last``, one run.

    Args:
        scanned: The clip.
        first: Source.
        last: Source too where ``both``; else the last picture that ``first`` is carried to.
        flow: See ``ops.motion.Flow``.
        settings: See there.
        both: Carry from both ends.
    """

    def __init__(
        self, scanned: Scan, first: int, last: int, flow: motion.Flow, settings: Settings, *, both: bool
    ) -> None:
        self._scanned, self._settings, self._both = scanned, settings, both
        self.first, self.last = first, last
        self._solved = _solved(scanned.picture_seconds, first, last, settings.motion_hz)
        gray = [scanned.planes[i].y for i in self._solved]
        self._back, self._onward = motion.steps_between(gray, flow, scanned.planes[first].u.shape)
        anchor = settings.anchor_every
        self._from_first = motion.chain(gray[0], gray[1:], self._back, flow, anchor)
        self._from_last = motion.chain(gray[-1], gray[-2::-1], self._onward[::-1], flow, anchor)[::-1] if both else []
        self._colors = {key: colors(scanned.planes[key]) for key in (first, last)}

    def to_first(self, picture: int) -> NDArray[np.float32]:
        """(gh, gw, 3) from ``picture`` to the first."""
        after = bisect_left(self._solved, picture)
        if self._solved[after] == picture:
            return self._from_first[after]
        step = motion.part_of(self._back[after - 1], self._share(after, picture), self._onward[after - 1])
        return motion.advance(self._from_first[after - 1], step)

    def to_last(self, picture: int) -> NDArray[np.float32]:
        """(gh, gw, 3) from ``picture`` to the last; only where both ends are sources."""
        after = bisect_left(self._solved, picture)
        if self._solved[after] == picture:
            return self._from_last[after]
        step = motion.part_of(self._onward[after - 1], 1 - self._share(after, picture), self._back[after - 1])
        return motion.advance(self._from_last[after], step)

    def carry(self, picture: int) -> Carried:
        """Scores of a picture strictly between the two ends, from both."""
        here = colors(self._scanned.planes[picture])
        to_first, to_last = self.to_first(picture), self.to_last(picture)
        error, error_last = self._error(here, self.first, to_first), self._error(here, self.last, to_last)
        nearness = (self.last - picture) / (self.last - self.first)
        trust_first = self._trust(nearness, error, to_first)
        trust_last = self._trust(1 - nearness, error_last, to_last)
        weight = np.divide(trust_first, np.maximum(trust_first + trust_last, SMALLEST_TRUST), dtype=np.float32)
        unreliable = self._unreliable(np.minimum(error, error_last), np.minimum(to_first[..., 2], to_last[..., 2]))
        doubt = np.minimum(self._doubt(error, to_first), self._doubt(error_last, to_last))
        return Carried(picture, self.first, self.last, to_first, to_last, weight, unreliable, doubt)

    def carry_forward(self, picture: int) -> Carried:
        """Scores of any picture but the first, from the first."""
        to_first = self.to_first(picture)
        error = self._error(colors(self._scanned.planes[picture]), self.first, to_first)
        unreliable = self._unreliable(error, to_first[..., 2])
        return Carried(picture, self.first, -1, to_first, None, None, unreliable, self._doubt(error, to_first))

    def last_from_first(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Displacement from the last to the first, and the (gh, gw) trust in what it brings."""
        return self._vote(self.last, self.first, self.to_first(self.last))

    def first_from_last(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Displacement from the first to the last, and the (gh, gw) trust in what it brings."""
        return self._vote(self.first, self.last, self.to_last(self.first))

    def _vote(
        self, here: int, there: int, field: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return field, self._trust(1.0, self._error(self._colors[here], there, field), field)

    def _doubt(self, error: NDArray[np.float32], field: NDArray[np.float32]) -> NDArray[np.float32]:
        c = self._settings
        return np.add(error / c.error_scale, field[..., 2] / c.inconsistency_scale, dtype=np.float32)

    def _share(self, after: int, picture: int) -> float:
        start, end = (self._scanned.picture_seconds[self._solved[i]] for i in (after - 1, after))
        return float((self._scanned.picture_seconds[picture] - start) / max(end - start, SHORTEST_STEP))

    def _error(self, here: NDArray[np.uint8], source: int, field: NDArray[np.float32]) -> NDArray[np.float32]:
        return photometric_error(here, self._colors[source], field[..., :2], self._settings.error_window)

    def _trust(self, nearness: float, error: NDArray[np.float32], field: NDArray[np.float32]) -> NDArray[np.float32]:
        c = self._settings
        return trust(
            nearness,
            error,
            field[..., 2],
            distance_power=c.distance_power,
            error_scale=c.error_scale,
            inconsistency_scale=c.inconsistency_scale,
        )

    def _unreliable(self, error: NDArray[np.float32], inconsistency: NDArray[np.float32]) -> float:
        c = self._settings
        return float(np.mean((error > c.unreliable_error) | (inconsistency > c.unreliable_inconsistency)))


def still(scanned: Scan, picture: int, source: int) -> Carried:
    """Scores of ``source`` as they are."""
    grid = scanned.planes[picture].u.shape
    return Carried(picture, source, -1, np.zeros((*grid, 3), np.float32), None, None, 0.0, np.zeros(grid, np.float32))


def small_size(network_size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) with the network's aspect and the wanted short side, both even."""
    scale = min(side / min(network_size), 1.0)
    height, width = (max(2, round(length * scale / 2) * 2) for length in network_size)
    return height, width


def colors(planes: Planes) -> NDArray[np.uint8]:
    """(h/2, w/2, 3): luma brought to the size of chroma."""
    height, width = planes.u.shape
    return cv2.merge([cv2.resize(planes.y, (width, height), interpolation=cv2.INTER_AREA), planes.u, planes.v])  # type: ignore[return-value]


def _solved(seconds: NDArray[np.float64], first: int, last: int, hz: float) -> list[int]:
    """Pictures between which flow is solved: ``first``, ``last``, and others about 1/hz apart."""
    chosen = [first]
    for picture in range(first + 1, last):
        # Three quarters: at 25 frames/s and 15 Hz every second picture is meant, not every third.
        if seconds[picture] - seconds[chosen[-1]] >= 0.75 / hz:
            chosen.append(picture)
    return [*chosen, last]
