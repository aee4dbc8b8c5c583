"""A ``Query`` as one SQL statement for DuckDB, over the tables ``frames`` and ``clips``.

Nothing that a user wrote becomes SQL: numbers and patterns are bound as parameters, classes are their ids.

Times. A frame ends where the next one begins. Where the next one is missing (its clip failed, or the video is over) it
lasts as long as the frame before it did, but not into the next frame that is there.

Spans (gaps and islands). Frames that satisfy the condition belong together when their numbers are neighbors, or when
the end of one and the start of the next are no further apart than the gap. Missing frames are a hole like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from vss_ray.index.query import And, Comparison, Condition, Not, Or, Query, mentioned, wanted
from vss_ray.labels.taxonomy import Taxonomy

TOLERANCE = 1e-6
"""Seconds; what the rounding of times may add up to."""

SPANS = """\
WITH videos AS (
    SELECT video_id, min(source) AS source FROM clips{videos} GROUP BY video_id
), shares AS (
    SELECT video_id, frame, pts_seconds AS start{shares} FROM frames
    WHERE video_id IN (SELECT video_id FROM videos)
), stepped AS (
    SELECT *, lead(start) OVER in_order AS next_start, lead(frame) OVER in_order = frame + 1 AS has_next,
        CASE WHEN has_next THEN next_start - start END AS step
    FROM shares WINDOW in_order AS (PARTITION BY video_id ORDER BY frame)
), timed AS (
    SELECT *, CASE WHEN has_next THEN next_start
        ELSE least(next_start, start + coalesce(lag(step IGNORE NULLS) OVER in_order, 0)) END AS stop
    FROM stepped WINDOW in_order AS (PARTITION BY video_id ORDER BY frame)
), matching AS (
    SELECT *, {total} AS total FROM timed WHERE {condition}
), opened AS (
    SELECT *, CASE WHEN lag(frame) OVER in_order = frame - 1
        OR ($gap > 0 AND start - lag(stop) OVER in_order <= $gap + $tolerance) THEN 0 ELSE 1 END AS opens
    FROM matching WINDOW in_order AS (PARTITION BY video_id ORDER BY frame)
), numbered AS (
    SELECT *, sum(opens) OVER (PARTITION BY video_id ORDER BY frame ROWS UNBOUNDED PRECEDING) AS span FROM opened
), spans AS (
    SELECT video_id, min(start) AS start, arg_max(stop, frame) AS stop, count(*) AS frames,
        max(total) AS peak, arg_max(start, row(total, -frame)) FILTER (total IS NOT NULL) AS peak_seconds{peaks}
    FROM numbered GROUP BY video_id, span
)
SELECT video_id, source, start, stop, stop - start AS seconds, frames, peak, peak_seconds{names}
FROM spans JOIN videos USING (video_id)
WHERE stop - start >= $minimum - $tolerance
ORDER BY video_id, start{limit}
"""

VIDEOS = "\n    WHERE video_id GLOB $video OR parse_filename(source, false, 'both_slash') GLOB $video\n   "


@dataclass(frozen=True)
class Statement:
    """What DuckDB is given."""

    sql: str
    """Its columns are ``video_id, source, start, stop, seconds, frames, peak, peak_seconds``, then one peak a class."""
    parameters: dict[str, float | int | str]
    classes: tuple[str, ...]
    """The classes of the last columns, in their order."""


def compile_query(query: Query, taxonomy: Taxonomy, limit: int | None = None) -> Statement:
    """The statement that finds the spans of a query; ``limit`` keeps the first ones, by video and time."""
    ids = {name: taxonomy.classes.index(name) for name in mentioned(query.condition)}
    peak_of = [ids[name] for name in wanted(query.condition)]
    thresholds: dict[str, float] = {}
    condition = _condition(query.condition, ids, thresholds)
    parameters: dict[str, float | int | str] = {
        **thresholds,
        "minimum": query.min_seconds,
        "gap": query.gap_seconds,
        "tolerance": TOLERANCE,
    }
    if query.video is not None:
        parameters["video"] = query.video
    if limit is not None:
        parameters["limit"] = limit
    sql = SPANS.format(
        videos=VIDEOS if query.video is not None else "",
        shares="".join(f", area[{i + 1}] AS share_{i}" for i in ids.values()),
        total=_total(peak_of) if peak_of else "NULL::FLOAT",
        condition=condition,
        peaks="".join(f", max(share_{i}) AS peak_{i}" for i in ids.values()),
        names="".join(f", peak_{i}" for i in ids.values()),
        limit="\nLIMIT $limit" if limit is not None else "",
    )
    return Statement(sql, parameters, tuple(ids))


def _condition(condition: Condition, ids: dict[str, int], thresholds: dict[str, float]) -> str:
    """A boolean expression; the numbers that it compares with are added to the thresholds."""
    match condition:
        case Comparison(classes, operator, share):
            name = f"threshold_{len(thresholds) + 1}"
            thresholds[name] = share
            return f"{_total([ids[class_name] for class_name in classes])} {operator} ${name}::FLOAT"
        case Not(part):
            return f"NOT ({_condition(part, ids, thresholds)})"
        case And(parts):
            return " AND ".join(f"({_condition(part, ids, thresholds)})" for part in parts)
        case Or(parts):
            return " OR ".join(f"({_condition(part, ids, thresholds)})" for part in parts)


def _total(ids: list[int]) -> str:
    """A sum of shares, added as double and compared as float like what is stored, so that ``>= 2%`` finds 2 %."""
    if len(ids) == 1:
        return f"share_{ids[0]}"
    return f"({' + '.join(f'share_{i}::DOUBLE' for i in ids)})::FLOAT"
