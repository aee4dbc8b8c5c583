"""The legs of a video's objects: who is followed together, from where to where, and how it is stored in the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa

from vss_ray.clips import Clip
from vss_ray.tracking.composing import Composed, compose
from vss_ray.tracking.following import followed_size
from vss_ray.tracking.legs import Direction, Leg
from vss_ray.tracking.sightings import Sighting, from_table, to_table

TOGETHER = 8
"""Objects of a leg at most: each keeps some 7 MB, and all share what is computed of the picture."""


@dataclass(frozen=True, kw_only=True)
class KnownObject:
    """An object of a video."""

    track: int
    masks: Mapping[int, bytes]
    """By number of a frame, at least one; see ``regions.packed``."""
    class_name: str | None = None


def legs(clips: Sequence[Clip], objects: Sequence[KnownObject]) -> list[Leg]:
    """Every object forward from the first frame on which it is known, and backward from the last one.

    Args:
        clips: All of one video, in order.
        objects: Of it, by id.
    """
    made = []
    for group, first in enumerate(range(0, len(objects), TOGETHER)):
        known: dict[int, dict[int, bytes]] = {}
        for each in objects[first : first + TOGETHER]:
            for frame, mask in each.masks.items():
                known[frame] = {**known.get(frame, {}), each.track: mask}
        directions: dict[Direction, tuple[Clip, ...]] = {
            "forward": tuple(clip for clip in clips if clip.stop > min(known)),
            "backward": tuple(clip for clip in reversed(clips) if clip.start <= max(known)),
        }
        made += [Leg(clips=part, direction=way, group=group, known=known) for way, part in directions.items()]
    return made


def composed(clip: Clip, objects: Sequence[KnownObject], parts: Mapping[str, pa.Table]) -> Iterator[Composed]:
    """Every frame of a clip, from what the legs saw of it.

    Args:
        clip: The clip.
        objects: Of its video.
        parts: Sightings by name of the leg.
    """
    size = clip.height, clip.width
    there, back = (
        _Frames([table for name, table in parts.items() if name.startswith(direction)])
        for direction in get_args(Direction)
    )
    known = {each.track: sorted(each.masks) for each in objects}
    names = {each.track: each.class_name for each in objects if each.class_name}
    for number in sorted(there.places.keys() | back.places.keys()):
        yield compose(number, there.at(number), back.at(number), known, size, followed_size(*size), class_names=names)


class _Frames:
    """Sightings of several groups by frame; patches are unpacked when their frame is asked for."""

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        self._table = pa.concat_tables([to_table([]), *tables]).sort_by("frame").combine_chunks()
        numbers, firsts, counts = np.unique(self._table["frame"].to_numpy(), return_index=True, return_counts=True)
        self.places = {
            int(number): (int(first), int(n)) for number, first, n in zip(numbers, firsts, counts, strict=True)
        }

    def at(self, frame: int) -> list[Sighting]:
        return from_table(self._table.slice(*self.places[frame])) if frame in self.places else []
