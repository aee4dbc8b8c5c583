"""The order of presentation, read off packets alone; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

REORDER = 16
"""The most pictures that H.264 and HEVC let be decoded ahead of one that is shown earlier."""


class Unit(NamedTuple):
    """What is kept of a packet; times in the stream's own units."""

    pts: int | None
    dts: int | None
    duration: int
    """0 where it is not known."""
    key: bool
    """Whether decoding can start here."""
    shown: bool
    """Whether it is to be shown, as far as the packet itself says."""
    corrupt: bool
    """Whether it is cut short."""


def shown(units: Sequence[Unit]) -> list[int]:
    """Positions of the packets whose frames a decoder gives out, in order of decoding.

    Not shown are also the packets in front of the first codec keyframe, and that keyframe's leading pictures: they
    refer to what was cut off.
    """
    end = len(units)
    first = next((i for i, unit in enumerate(units) if unit.key), 0)
    after = first + 1
    while after < end and _earlier(units[after].pts, units[first].pts):
        after += 1
    return [i for i in (first, *range(after, end)) if i < end and units[i].shown]


def by_time(units: Sequence[Unit], positions: Sequence[int]) -> tuple[int, ...]:
    """The same positions in order of presentation; empty where the times do not tell that order.

    They do not where one is missing or given twice, or where they run back, as in recordings joined end to end.
    """
    times = [pts for i in positions if (pts := units[i].pts) is not None]
    if len(set(times)) < len(positions):
        return ()
    decoding = (unit.dts for unit in units if unit.dts is not None)
    if any(after < before for before, after in pairwise(decoding)):
        return ()
    order = sorted(range(len(positions)), key=times.__getitem__)
    if any(abs(rank - place) > REORDER for rank, place in enumerate(order)):
        return ()
    return tuple(positions[place] for place in order)


def codec_keyframes(units: Sequence[Unit], frames: Sequence[int]) -> tuple[int, ...]:
    """Frames at which decoding can start, given the position of every frame: 0, and keyframes that no frame overtakes.

    A frame overtakes a keyframe when it is decoded before and shown after it.
    """
    rank = {position: frame for frame, position in enumerate(frames)}
    latest = accumulate((rank.get(i, -1) for i in range(len(units))), max)
    starts = {rank[i] for i, highest in enumerate(latest) if i in rank and units[i].key and highest == rank[i]}
    return tuple(sorted(starts | {0}))


def _earlier(pts: int | None, other: int | None) -> bool:
    return pts is not None and other is not None and pts < other
