"""What one direction knows of one object on one frame, small enough to wait in storage for the other direction."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.tracking.tracker import State, Tracked

LEVELS = 255
"""Of probabilities."""
FAINT = 0.02
"""What is less at the rim of a patch is left out."""
MOST_PIXELS = 2**24
"""Of a patch that is read: no frame is followed at more."""

SIGHTINGS = pa.schema(
    [
        ("frame", pa.int64()),
        ("pts_seconds", pa.float64()),
        ("track", pa.int32()),
        ("left", pa.int32()),
        ("top", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("patch", pa.binary()),
        ("score", pa.float32()),
        ("confidence", pa.float32()),
        ("state", pa.string()),
        ("is_known", pa.bool_()),
    ]
)


@dataclass(frozen=True, eq=False)
class Sighting:
    """See the module; pixels are those of the frame as it was followed."""

    frame: int
    """Number in the video."""
    pts_seconds: float
    track: int
    left: int
    top: int
    patch: NDArray[np.uint8]
    """(h, w) probabilities in 1/255; outside, and where it has no pixel, 0."""
    score: float
    confidence: float
    state: State
    is_known: bool = False
    """Given by the user, not found."""


def of_frame(number: int, seconds: float, tracked: Tracked, known: dict[int, NDArray[np.bool_]]) -> list[Sighting]:
    """Sightings of all objects of a frame.

    Args:
        number: Of the frame.
        seconds: Its time.
        tracked: What was found.
        known: Masks (H, W) of objects that need not be found on it, by id.
    """
    found = [
        _cropped(number, seconds, int(track), probability, float(score), float(confidence), state)
        for track, probability, score, confidence, state in zip(
            tracked.ids, tracked.probabilities, tracked.scores, tracked.confidences, tracked.states, strict=True
        )
        if int(track) not in known
    ]
    given = [
        _cropped(number, seconds, track, mask.astype(np.float32), 1.0, 1.0, "tracked", is_known=True)
        for track, mask in known.items()
    ]
    return sorted(found + given, key=lambda each: each.track)


def to_table(sightings: list[Sighting]) -> pa.Table:
    """One row each."""
    rows = [
        {
            **{name: getattr(each, name) for name in SIGHTINGS.names if hasattr(each, name)},
            "height": each.patch.shape[0],
            "width": each.patch.shape[1],
            "patch": zlib.compress(each.patch.tobytes(), 1),
        }
        for each in sightings
    ]
    return pa.Table.from_pylist(rows, SIGHTINGS)


def from_table(table: pa.Table) -> list[Sighting]:
    """The inverse of ``to_table``.

    Raises:
        ValueError: A row is none of ``to_table``.
    """
    try:
        return [_restored(row) for row in table.to_pylist()]
    except (TypeError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"a row without what a sighting has: {error}") from error


def _restored(row: dict[str, Any]) -> Sighting:
    height, width = row.pop("height"), row.pop("width")
    if row["state"] not in get_args(State) or min(height, width) < 0 or height * width > MOST_PIXELS:
        raise ValueError(f"got state {row['state']!r} and a patch of {width}x{height}")
    data = zlib.decompressobj().decompress(row.pop("patch"), height * width + 1)
    if len(data) != height * width:
        raise ValueError(f"a patch of {len(data)} pixels, wanted {width}x{height}")
    return Sighting(patch=np.frombuffer(data, np.uint8).reshape(height, width), **row)


def _cropped(
    number: int,
    seconds: float,
    track: int,
    probability: NDArray[np.float32],
    score: float,
    confidence: float,
    state: State,
    *,
    is_known: bool = False,
) -> Sighting:
    seen = probability >= FAINT
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 0)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 0)
    patch = np.round(probability[top:bottom, left:right] * LEVELS).astype(np.uint8)
    return Sighting(number, seconds, track, left, top, patch, score, confidence, state, is_known)
