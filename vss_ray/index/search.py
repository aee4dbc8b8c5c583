"""Answer a question: which spans of which videos show what the query describes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vss_ray.errors import QueryError
from vss_ray.index.language import parse
from vss_ray.index.sql import compile_query
from vss_ray.index.tables import connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One span of one video."""

    video_id: str
    source: str
    """Path or URL of the video file."""
    start: float
    """Time of the first frame, seconds from the video's first frame."""
    end: float
    """When the last frame ends, seconds."""
    seconds: float
    """``end - start``."""
    frames: int
    """How many frames satisfy the condition; those in bridged gaps do not count."""
    peak: float | None
    """The largest share, 0 to 1, of the classes that the query wants to see, together; None where it only excludes."""
    peak_seconds: float | None
    """Time of the first frame that has it."""
    peaks: dict[str, float]
    """The largest share of every class that the query mentions."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        return asdict(self)


def search(location: Location, query: str, taxonomy: Taxonomy, limit: int | None = None) -> list[Hit]:
    """All spans that satisfy a query, by video and time.

    Args:
        location: OUT.
        query: Such as ``person > 2% and bicyclist > 0.5% for 2s gap 1s in "drive*"``; see ``language``.
        taxonomy: The classes of the run.
        limit: At most so many, the first ones.

    Raises:
        QueryError: The query cannot be understood.
        StorageError: There are no tables, they cannot be read, or they have other classes.
    """
    if limit is not None and limit < 1:
        raise QueryError(f"limit: got {limit}, wanted 1 or more")
    statement = compile_query(parse(query, taxonomy), taxonomy, limit)
    with connect(location, taxonomy) as connection:
        rows = connection.execute(statement.sql, statement.parameters).fetchall()
    return [_hit(row, statement.classes) for row in rows]


def explain(query: str, taxonomy: Taxonomy) -> str:
    """The SQL that answers a query, over the tables ``frames`` and ``clips``; comments name classes and parameters."""
    statement = compile_query(parse(query, taxonomy), taxonomy)
    comments = [f"-- share_{taxonomy.classes.index(name)}: {json.dumps(name)}" for name in statement.classes]
    comments += [f"-- ${name} = {json.dumps(value)}" for name, value in statement.parameters.items()]
    return "\n".join([*comments, statement.sql])


def _hit(row: tuple[Any, ...], classes: tuple[str, ...]) -> Hit:
    video_id, source, start, end, seconds, frames, peak, peak_seconds, *peaks = row
    return Hit(
        video_id=video_id,
        source=source,
        start=start,
        end=end,
        seconds=seconds,
        frames=frames,
        peak=None if peak is None else _shortest(peak),
        peak_seconds=peak_seconds,
        peaks={name: _shortest(value) for name, value in zip(classes, peaks, strict=True)},
    )


def _shortest(share: float) -> float:
    """A float32 share as the shortest decimal that means it: 0.02, not 0.019999999552965164."""
    return float(str(np.float32(share)))
