"""Answer a question: which spans of which videos show what the query describes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np

from vss_ray.errors import QueryError
from vss_ray.index.confidence import agreement
from vss_ray.index.language import parse
from vss_ray.index.query import Query, wanted
from vss_ray.index.sql import Statement, compile_query
from vss_ray.index.tables import REPLACED_SECONDS, ReplacedError, connect
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
    first_frame: int
    """Number of the first frame in the video."""
    last_frame: int
    """Number of the last frame, itself in the span."""
    confidence: float | None
    """How often the network agrees with labels like these, 0 to 1: of the classes that the query wants to see, at the
    distances to keyframes that the frames of the span have; see ``confidence``. None where nothing was audited."""
    confidence_low: float | None
    """Lower end of its 95 % interval."""
    confidence_high: float | None
    """Upper end."""
    peak: float | None
    """The largest share, 0 to 1, of the classes that the query wants to see, together; None where it only excludes."""
    peak_frame: int
    """The first frame that has it, or the first frame."""
    peak_seconds: float
    """Its time."""
    peak_clip: str
    """The clip that it is in."""
    peaks: dict[str, float]
    """The largest share of every class that the query mentions."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        return asdict(self)


def search(
    location: Location, query: str, taxonomy: Taxonomy, limit: int | None = None, seconds: float | None = None
) -> list[Hit]:
    """All spans that satisfy a query, in the order that it asks for; by video and time where it asks for none.

    Args:
        location: OUT.
        query: Such as ``person > 2% and bicyclist > 0.5% for 2s gap 1s in "drive*"``; see ``language``.
        taxonomy: The classes of the run.
        limit: At most so many, the first ones.
        seconds: What the search may take; None: as long as it does.

    Raises:
        QueryError: The query cannot be understood, or takes longer.
        StorageError: There are no tables, they cannot be read, or they have other classes.
    """
    if limit is not None and limit < 1:
        raise QueryError(f"limit: got {limit}, wanted 1 or more")
    parsed = parse(query, taxonomy)
    until = time.monotonic() + REPLACED_SECONDS
    while True:
        try:
            with connect(location, taxonomy) as connection, _at_most(connection, seconds):
                statement = _statement(connection, parsed, taxonomy, limit)
                rows = connection.execute(statement.sql, statement.parameters).fetchall()
            return [_hit(row, statement.classes) for row in rows]
        except ReplacedError:
            if time.monotonic() > until:
                raise


def explain(location: Location, query: str, taxonomy: Taxonomy, limit: int | None = None) -> str:
    """The SQL that ``search`` runs, over the views of ``tables.connect``; comments name classes and parameters.

    Raises:
        QueryError: The query cannot be understood.
        StorageError: See ``search``.
    """
    parsed = parse(query, taxonomy)
    with connect(location, taxonomy) as connection:
        statement = _statement(connection, parsed, taxonomy, limit)
    comments = [f"-- share_{taxonomy.classes.index(name)}: {json.dumps(name)}" for name in statement.classes]
    comments += [f"-- ${name} = {json.dumps(value)}" for name, value in statement.parameters.items()]
    return "\n".join([*comments, statement.sql])


@contextmanager
def _at_most(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryError(
            f"query: this takes more than {seconds:g} s; ask for fewer classes or videos, or `vss search`, which waits"
        ) from error
    finally:
        timer.cancel()
        timer.join()  # an interrupt that came late would meet whoever has the connection next


def _statement(connection: duckdb.DuckDBPyConnection, query: Query, taxonomy: Taxonomy, limit: int | None) -> Statement:
    classes = [taxonomy.classes.index(name) for name in wanted(query.condition)]
    return compile_query(query, taxonomy, limit, agreement(connection, classes))


def _hit(row: tuple[Any, ...], classes: tuple[str, ...]) -> Hit:
    names = [name for name in Hit.__dataclass_fields__ if name != "peaks"]
    values = dict(zip(names, row, strict=False))
    values["peak"] = None if values["peak"] is None else _shortest(values["peak"])
    peaks = {name: _shortest(value) for name, value in zip(classes, row[len(names) :], strict=True)}
    return Hit(**values, peaks=peaks)


def _shortest(share: float) -> float:
    """A float32 share as the shortest decimal that means it: 0.02, not 0.019999999552965164."""
    return float(str(np.float32(share)))
