"""Moments of the archive that look like a given one: nearest embeddings of keyframes, one answer a moment.

Keyframes that lie within ``APART`` seconds of each other show one moment, and so do those within ``LASTING`` seconds
that look the same: of a moment the best keyframe is the answer. The moment that was asked about is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import QueryError, StorageError
from vss_ray.index.graph import Graph
from vss_ray.index.nearest import COLUMNS, Candidate, Exact, Ranking, candidates
from vss_ray.index.tables import PATHS, connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location

EXACT_ROWS = 1_000_000
"""Above so many keyframes a graph answers, not a pass over all of them."""
APART = 3.0
"""Seconds."""
LASTING = 60.0
"""Seconds."""
SAME = 0.98
"""Likeness from which two keyframes show the same."""


@dataclass(frozen=True, kw_only=True)
class Similar:
    """One moment of one video."""

    video_id: str
    source: str
    """Path or URL of the video file."""
    seconds: float
    """From the video's first frame."""
    frame: int
    clip_id: str
    score: float
    """Likeness: the cosine of the two embeddings, 1 at most."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        return asdict(self)


def similar(
    location: Location,
    taxonomy: Taxonomy,
    video_id: str,
    seconds: float,
    limit: int = 20,
    *,
    exact_rows: int = EXACT_ROWS,
) -> list[Similar]:
    """Moments that look like the keyframe of a video that is nearest to a time, the likest first.

    Args:
        location: OUT.
        taxonomy: The classes of the run.
        video_id: A video, see ``find_video``.
        seconds: From the video's first frame.
        limit: At most so many.
        exact_rows: See ``EXACT_ROWS``.

    Raises:
        QueryError: There is no such video, or no such moment in it.
        StorageError: There are no tables, they cannot be read, or no keyframe has an embedding.
    """
    with _Embeddings.open(location, taxonomy, PATHS["keyframes"], exact_rows) as embeddings:
        own = embeddings.at(find_video(embeddings.connection, video_id), seconds)
        return embeddings.answer(own.vector, limit, own)


def similar_to(
    location: Location,
    taxonomy: Taxonomy,
    vector: NDArray[np.floating],
    limit: int = 20,
    *,
    path: str = PATHS["keyframes"],
    exact_rows: int = EXACT_ROWS,
) -> list[Similar]:
    """Moments whose embedding is like ``vector``, the likest first.

    Args:
        location: OUT.
        taxonomy: The classes of the run.
        vector: (E,) of length 1.
        limit: At most so many.
        path: The table of embeddings in OUT, with the columns of ``schema.keyframes_schema``.
        exact_rows: See ``EXACT_ROWS``.

    Raises:
        StorageError: See ``similar``; or the embeddings of the table have another length.
    """
    with _Embeddings.open(location, taxonomy, path, exact_rows) as embeddings:
        if embeddings.size != len(vector):
            raise StorageError(
                f"{location.url(path)} holds embeddings of {embeddings.size} numbers, the question has {len(vector)}; "
                "ask with the network that the run was made with"
            )
        return embeddings.answer(vector.astype(np.float32), limit)


def parse_moment(text: str) -> tuple[str, float] | None:
    """VIDEO and seconds of ``VIDEO@SECONDS``, where the time may be written ``12.5``, ``1:02.5`` or ``1:00:02``.

    None: it is not written so.
    """
    match = re.fullmatch(r"(.+)@(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?)s?", text, re.DOTALL)
    if match is None:
        return None
    video, hours, minutes, seconds = match.groups()
    return video, 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def find_video(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The one video that ``name`` means: its id, or a glob that fits one id or one file name.

    Raises:
        QueryError: It means none, or several.
    """
    videos = connection.execute("SELECT DISTINCT video_id, source FROM clips ORDER BY video_id").fetchall()
    if any(video_id == name for video_id, _ in videos):
        return name
    fitting = [v for v, source in videos if fnmatchcase(v, name) or fnmatchcase(source.rsplit("/", 1)[-1], name)]
    if len(fitting) == 1:
        return fitting[0]
    known = fitting or [video_id for video_id, _ in videos]
    listed = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    raise QueryError(f"{name!r} is {len(fitting) or 'no'} videos of the run; wanted one of {listed or 'none'}")


@dataclass(frozen=True)
class _Embeddings:
    """A table of embeddings, open."""

    connection: duckdb.DuckDBPyConnection
    ranking: Ranking
    size: int

    @classmethod
    @contextmanager
    def open(cls, location: Location, taxonomy: Taxonomy, path: str, exact_rows: int) -> Iterator[_Embeddings]:
        """See ``similar_to`` for the arguments."""
        view = "keyframes" if path == PATHS["keyframes"] else "embeddings"
        with connect(location, taxonomy, {} if view == "keyframes" else {view: path}) as connection:
            rows, size = connection.sql(f"SELECT count(*), any_value(len(embedding)) FROM {view}").fetchall()[0]
            if not rows:
                raise StorageError(
                    f"{location.root} has no embeddings: no clip is done, or its segmenter gives none; "
                    "those of segmenter builtin, torchvision and transformers do"
                )
            ranking = (
                Exact(connection, view, size) if rows <= exact_rows else Graph(connection, location, path, view, size)
            )
            yield cls(connection, ranking, size)

    def at(self, video_id: str, seconds: float) -> Candidate:
        """The keyframe of a video that is nearest to a time."""
        ends = "SELECT max(stop_seconds) FROM clips WHERE video_id = $video_id"
        stop = self.connection.execute(ends, {"video_id": video_id}).fetchall()[0][0]
        if not 0 <= seconds <= stop:
            raise QueryError(f"{video_id} goes from 0 to {stop:.2f} s, got {seconds:g} s")
        rows = self.connection.sql(
            f"SELECT {COLUMNS} FROM keyframes WHERE video_id = $video_id "
            "ORDER BY abs(pts_seconds - $seconds), frame LIMIT 1",
            params={"video_id": video_id, "seconds": seconds},
        )
        found = candidates(rows.to_arrow_table())
        if not found:
            raise QueryError(f"no keyframe of {video_id} has an embedding; ask about another video")
        return found[0]

    def answer(self, vector: NDArray[np.float32], limit: int, own: Candidate | None = None) -> list[Similar]:
        """The first ``limit`` moments, less the one around ``own``."""
        if limit < 1:
            raise QueryError(f"limit: got {limit}, wanted 1 or more")
        chosen: list[Candidate] = []
        for page in self.ranking.pages(vector):
            add_moments(chosen, page, limit, own)
            if len(chosen) == limit:
                break
        sources = dict(self.connection.execute("SELECT DISTINCT video_id, source FROM clips").fetchall())
        return [
            Similar(
                video_id=one.video_id,
                source=sources[one.video_id],
                seconds=one.seconds,
                frame=one.frame,
                clip_id=one.clip_id,
                score=min(1.0, round(one.score, 4)),
            )
            for one in chosen
        ]


def add_moments(
    chosen: list[Candidate], further: Sequence[Candidate], limit: int, own: Candidate | None = None
) -> None:
    """Add to ``chosen`` those of ``further``, in order, that show another moment than all before them."""
    for candidate in further:
        if len(chosen) == limit:
            return
        others = chosen if own is None else [own, *chosen]
        if not any(_is_one_moment(candidate, other) for other in others):
            chosen.append(candidate)


def _is_one_moment(one: Candidate, other: Candidate) -> bool:
    if one.video_id != other.video_id:
        return False
    distance = abs(one.seconds - other.seconds)
    return distance <= APART or (distance <= LASTING and float(one.vector @ other.vector) >= SAME)
