"""Objects in a run, made without networks: a square of some class that goes to the right, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.index.schema import TRACK_RECORD
from vss_ray.index.tracks import OBJECTS
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location
from vss_ray.tracking.composing import Composed, position
from vss_ray.tracking.encoding import encode

SIDE, TOP = 12, 20
AWAY = range(8, 11)
"""Frames on which nothing of it is seen."""


def square(number: int, height: int, width: int, track: int) -> NDArray[np.uint16]:
    """(height, width) the object on a frame."""
    ids = np.zeros((height, width), np.uint16)
    if number not in AWAY:
        ids[TOP : TOP + SIDE, number : number + SIDE] = track
    return ids


def commit_object(
    out: Location, clip: Clip, rate: float, track: int = 3, class_name: str | None = "car", folder: str = OBJECTS
) -> None:
    """Commit a clip of it."""

    def composed(number: int) -> Composed:
        ids = square(number, clip.height, clip.width, track)
        state = "occluded" if number in AWAY else "found" if number == AWAY.stop else "tracked"
        return Composed(number, number / rate, ids, [position(ids, track, 0.75, state, class_name)])

    encoded = encode(clip, map(composed, range(clip.start, clip.stop)), track)
    assert encoded is not None
    facts = {name: getattr(clip, name) for name in ("source", "start", "stop", "width", "height", "size_bytes")}
    rows = pa.Table.from_pylist(encoded.rows, TRACK_RECORD)
    commit(Location.open(out.url(folder)), clip.video_id, clip.clip_id, encoded.mask, rows, facts)
