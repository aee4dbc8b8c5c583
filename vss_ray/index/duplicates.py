"""Near-duplicates of an archive: pairs of videos that show the same for a while, found by their embeddings.

Small archives are compared whole. In larger ones only the surroundings of clips are, of which one is among the nearest
of the other by the mean embedding of a clip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import QueryError
from vss_ray.index.alike import STEP, WINDOW, Stretch, Track, merged, stretches
from vss_ray.index.tables import connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location

SHORTEST = 10.0
"""Seconds."""
ALL_PAIRS = 2e9
"""Pairs of samples up to which an archive is compared whole."""
NEAREST = 8
"""Clips of other videos around which a clip of a larger archive is looked at."""
TRACKS = 64
"""Videos held in memory."""
AT_ONCE = 2048
"""Clips."""


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """A stretch of one video that is in another video too."""

    video_id: str
    source: str
    start: float
    """Seconds."""
    end: float
    other_id: str
    other_source: str
    other_start: float
    other_end: float
    seconds: float
    """How long it lasts."""
    score: float
    """Correlation of the changes, 1 at most; above 0.5."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        return asdict(self)


@dataclass(frozen=True)
class _Clip:
    video_id: str
    start_seconds: float
    stop_seconds: float


def duplicates(
    location: Location, taxonomy: Taxonomy, *, min_seconds: float = SHORTEST, all_pairs: float = ALL_PAIRS
) -> list[Duplicate]:
    """What is in two videos of a run, longest first.

    Args:
        location: OUT.
        taxonomy: The classes of the run.
        min_seconds: Shorter stretches are left out.
        all_pairs: See ``ALL_PAIRS``.

    Raises:
        QueryError: ``min_seconds`` is shorter than what can be told.
        StorageError: There are no tables, or they cannot be read.
    """
    if min_seconds < STEP * (WINDOW - 1):
        raise QueryError(f"stretches of {min_seconds:g} s cannot be told from chance; ask for {SHORTEST:g} s or more")
    with connect(location, taxonomy) as connection:
        sources = dict(connection.execute("SELECT DISTINCT video_id, source FROM clips").fetchall())
        spans = (
            "SELECT video_id, max(pts_seconds) - min(pts_seconds) FROM keyframes GROUP BY video_id ORDER BY video_id"
        )
        seconds: dict[str, float] = dict(connection.execute(spans).fetchall())

        @lru_cache(TRACKS)
        def track(video_id: str) -> Track:
            return _track(connection, video_id)

        found: dict[tuple[str, str], list[Stretch]] = defaultdict(list)
        if (sum(seconds.values()) / STEP) ** 2 / 2 <= all_pairs:
            for one, other in combinations(seconds, 2):
                found[one, other] = stretches(track(one), track(other))
        else:
            for one, other in _near_clips(connection):
                parts = _around(track(one.video_id), one), _around(track(other.video_id), other)
                found[one.video_id, other.video_id] += stretches(*parts)
    results = [
        Duplicate(
            video_id=one,
            source=sources[one],
            start=each.start,
            end=each.end,
            other_id=other,
            other_source=sources[other],
            other_start=each.other_start,
            other_end=each.other_start + each.end - each.start,
            seconds=each.end - each.start,
            score=round(each.score, 3),
        )
        for (one, other), parts in found.items()
        for each in merged(parts)
        if each.end - each.start >= min_seconds - STEP
    ]
    return sorted(results, key=lambda d: (-d.seconds, d.video_id, d.other_id, d.start))


def _track(connection: duckdb.DuckDBPyConnection, video_id: str) -> Track:
    rows = connection.sql(
        "SELECT pts_seconds, embedding::FLOAT[] AS vector FROM keyframes WHERE video_id = $video_id ORDER BY frame",
        params={"video_id": video_id},
    ).to_arrow_table()
    seconds = rows["pts_seconds"].to_numpy()
    return Track.of(seconds, rows["vector"].combine_chunks().flatten().to_numpy().reshape(len(seconds), -1))


def _around(track: Track, clip: _Clip) -> Track:
    """The samples of a clip and a window on either side."""
    first, last = ((s - track.first_seconds) / STEP for s in (clip.start_seconds, clip.stop_seconds))
    return track.part(int(first) - WINDOW, int(last) + WINDOW)


def _near_clips(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[_Clip, _Clip]]:
    """Pairs of clips of two videos, of which one is among the nearest of the other; in order of video."""
    rows = connection.sql(
        "SELECT video_id, start_seconds, stop_seconds, embedding::FLOAT[] AS vector FROM clips "
        "WHERE embedding IS NOT NULL ORDER BY video_id, start"
    ).to_arrow_table()
    clips = [_Clip(**row) for row in rows.drop_columns("vector").to_pylist()]
    vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(len(clips), -1)
    vectors = vectors - vectors.mean(0)  # what all of the archive has in common says nothing
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    numbers = np.unique([clip.video_id for clip in clips], return_inverse=True)[1]
    pairs = {
        tuple(sorted(pair)) for start in range(0, len(clips), AT_ONCE) for pair in _nearest(vectors, numbers, start)
    }
    for one, other in sorted(pairs):
        yield clips[one], clips[other]


def _nearest(vectors: NDArray[np.float32], videos: NDArray[np.int64], start: int) -> list[tuple[int, int]]:
    """For every clip from ``start`` on, ``AT_ONCE`` of them, the nearest of other videos."""
    scores = vectors[start : start + AT_ONCE] @ vectors.T
    scores[videos[start : start + AT_ONCE, None] == videos] = -2
    count = min(NEAREST, scores.shape[1] - 1)
    best = np.argpartition(-scores, count, axis=1)[:, :count]
    return [(start + i, int(j)) for i, row in enumerate(best) for j in row if scores[i, j] > -2]
