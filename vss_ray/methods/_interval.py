"""Motion of all pictures between two others, and how much either of the two is to be trusted."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Planes
from vss_ray.ops import fields, motion
from vss_ray.ops.blend import doubt, gray_levels, photometric_error, weigh
from vss_ray.scan import Scan

SHORTEST_STEP = 1e-6
"""Seconds; broken files give two pictures one time."""


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
    to_before: NDArray[np.float16]
    """(gh, gw, 2) displacement in cells; half precision is 1/32 of one at 64, far under the flow's own error."""
    to_after: NDArray[np.float16] | None
    weight: NDArray[np.float32] | None
    """(gh, gw) of the earlier source."""
    unreliable: float
    """Share of cells."""
    doubt: NDArray[np.float32]
    """(gh, gw) how little the better source is to be trusted, see ``ops.blend.doubt``."""


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
        views = [motion.view(scanned.planes[i].y, flow) for i in self._solved]
        self._back, self._onward = motion.steps_between(views, flow, scanned.planes[first].u.shape)
        anchor = settings.anchor_every
        self._from_first = motion.chain(views, self._back, flow, anchor)
        self._from_last = motion.chain(views[::-1], self._onward[::-1], flow, anchor)[::-1] if both else []
        self._colors = {key: colors(scanned.planes[key]) for key in (first, last)}

    def to_first(self, picture: int) -> NDArray[np.float32]:
        """From ``picture`` to the first: (gh, gw, 4), see ``ops.fields``."""
        after = bisect_left(self._solved, picture)
        if self._solved[after] == picture:
            return self._from_first[after]
        back, onward, share = self._back[after - 1], self._onward[after - 1], self._share(after, picture)
        return fields.follow_part(back, share, onward, self._from_first[after - 1])

    def to_last(self, picture: int) -> NDArray[np.float32]:
        """From ``picture`` to the last, the same; only where both ends are sources."""
        after = bisect_left(self._solved, picture)
        if self._solved[after] == picture:
            return self._from_last[after]
        back, onward, share = self._back[after - 1], self._onward[after - 1], self._share(after, picture)
        return fields.follow_part(onward, 1 - share, back, self._from_last[after])

    def carry(self, picture: int) -> Carried:
        """Scores of a picture strictly between the two ends, from both."""
        c, here = self._settings, colors(self._scanned.planes[picture])
        ways = self.to_first(picture), self.to_last(picture)
        nearness = (self.last - picture) / (self.last - self.first)
        weight, doubtful, unreliable = weigh(
            (self._error(here, self.first, ways[0]), self._error(here, self.last, ways[1])),
            ways,
            (nearness**c.distance_power, (1 - nearness) ** c.distance_power),
            error_scale=c.error_scale,
            inconsistency_scale=c.inconsistency_scale,
            most_error=c.unreliable_error,
            most_inconsistency=c.unreliable_inconsistency,
        )
        to_first, to_last = (fields.halves(way) for way in ways)
        return Carried(picture, self.first, self.last, to_first, to_last, weight, unreliable, doubtful)

    def carry_forward(self, picture: int) -> Carried:
        """Scores of any picture but the first, from the first."""
        c, to_first = self._settings, self.to_first(picture)
        error = self._error(colors(self._scanned.planes[picture]), self.first, to_first)
        unlike = gray_levels(error) > c.unreliable_error
        unreliable = float(np.mean(unlike | (to_first[..., 2] > c.unreliable_inconsistency)))
        doubtful = self._doubt(error, to_first)
        return Carried(picture, self.first, -1, fields.halves(to_first), None, None, unreliable, doubtful)

    def last_from_first(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """From the last to the first, (gh, gw, 4), and the (gh, gw) trust in what it brings."""
        return self._vote(self.last, self.first, self.to_first(self.last))

    def first_from_last(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """From the first to the last, (gh, gw, 4), and the (gh, gw) trust in what it brings."""
        return self._vote(self.first, self.last, self.to_last(self.first))

    def _vote(
        self, here: int, there: int, field: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return field, np.exp(-self._doubt(self._error(self._colors[here], there, field), field))

    def _doubt(self, error: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.float32]:
        c = self._settings
        return doubt(error, field, error_scale=c.error_scale, inconsistency_scale=c.inconsistency_scale)

    def _share(self, after: int, picture: int) -> float:
        start, end = (self._scanned.picture_seconds[self._solved[i]] for i in (after - 1, after))
        return float((self._scanned.picture_seconds[picture] - start) / max(end - start, SHORTEST_STEP))

    def _error(self, here: NDArray[np.uint8], source: int, field: NDArray[np.float32]) -> NDArray[np.uint8]:
        return photometric_error(here, self._colors[source], field, self._settings.error_window)


def still(scanned: Scan, picture: int, source: int) -> Carried:
    """Scores of ``source`` as they are."""
    grid = scanned.planes[picture].u.shape
    return Carried(picture, source, -1, np.zeros((*grid, 2), np.float16), None, None, 0.0, np.zeros(grid, np.float32))


def small_size(network_size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) with the network's aspect and the wanted short side, both even."""
    scale = min(side / min(network_size), 1.0)
    height, width = (max(2, round(length * scale / 2) * 2) for length in network_size)
    return height, width


def colors(planes: Planes) -> NDArray[np.uint8]:
    """(h/2, w/2, 4): luma brought to the size of chroma, chroma, and luma again, to fill up four bytes."""
    height, width = planes.u.shape
    luma = cv2.resize(planes.y, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.merge([luma, planes.u, planes.v, luma])  # type: ignore[return-value]


def _solved(seconds: NDArray[np.float64], first: int, last: int, hz: float) -> list[int]:
    """Pictures between which flow is solved: ``first``, ``last``, and others about 1/hz apart."""
    chosen = [first]
    for picture in range(first + 1, last):
        # Three quarters: at 25 frames/s and 15 Hz every second picture is meant, not every third.
        if seconds[picture] - seconds[chosen[-1]] >= 0.75 / hz:
            chosen.append(picture)
    return [*chosen, last]
