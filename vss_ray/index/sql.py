"""A ``Query`` as one SQL statement for DuckDB, over the views ``wide`` and ``clips`` of ``tables``.

Nothing that a user wrote becomes SQL: numbers and patterns are bound as parameters, classes are their ids.

Rows. Frames that cannot satisfy the condition are dropped where the table is read: one pass over the few columns that
the question is about. All that follows sees matching rows only.

Spans (gaps and islands). Matching rows with neighboring places (see ``times``) are an island: place less rank is the
same for all of them. Where a gap is allowed, islands go together when the end of one and the start of the next are no
further apart. Times and names are looked up last, for the rows at the ends and the peaks of the spans that are left
when all are filtered, sorted and limited: read for every matching row, they would cost more than all the rest.

Order. The table is sorted by place, and DuckDB keeps the order of what it reads: windows without an ORDER BY need no
sorting, which would take most of the time. Where a join may have shuffled the rows they are sorted again.
"""

from __future__ import annotations

from dataclasses import dataclass

from vss_ray.index.conditions import COVERED, Conditions, total
from vss_ray.index.confidence import Agreement
from vss_ray.index.query import Query, mentioned, wanted
from vss_ray.labels.taxonomy import Taxonomy

TOLERANCE = 1e-6
"""Seconds; what the rounding of times may add up to."""

SPANS = """\
WITH {videos}frames_asked AS NOT MATERIALIZED (
    SELECT place, lasts, video_id, clip_id, frame, pts_seconds AS start, stop_seconds AS stop, key_distance{columns}
    FROM wide{within}
), {moments}matching AS (
    SELECT *, place - row_number() OVER ({order}) AS island FROM {source} WHERE {condition}
), islands AS (
    SELECT min(place) AS first, max(place) AS last, sum(lasts) AS seconds, count(*) AS frames, {confidence},
        max(row({total}, -place)) AS best{peaks}
    FROM matching GROUP BY island
), {bridged}spans AS (
    SELECT * FROM {found}
    WHERE seconds >= $minimum - $tolerance
    ORDER BY {sort}{limit}
), edges AS MATERIALIZED (
    SELECT place, video_id, clip_id, frame, pts_seconds AS start, stop_seconds AS stop FROM wide
    WHERE place IN (SELECT unnest([first, last, -best[2]]) FROM spans)
)
SELECT opening.video_id, source, opening.start, closing.stop, closing.stop - opening.start, frames,
    opening.frame AS first_frame, closing.frame AS last_frame,
    confidence / frames AS confidence, confidence_low / frames, confidence_high / frames,
    best[1] AS peak, top.frame AS peak_frame, top.start AS peak_seconds, top.clip_id AS peak_clip{names}
FROM spans
JOIN edges opening ON opening.place = first JOIN edges closing ON closing.place = last
JOIN edges top ON top.place = -best[2]
JOIN (SELECT video_id, min(source) AS source FROM clips GROUP BY video_id) sources
    ON sources.video_id = opening.video_id
ORDER BY {sort}
"""

BRIDGED = """\
shores AS MATERIALIZED (
    SELECT place, video_id, pts_seconds AS start, stop_seconds AS stop FROM wide
    WHERE place IN (SELECT unnest([first, last]) FROM islands)
), opened AS (
    SELECT islands.*, opening.start, closing.stop, CASE WHEN lag(opening.video_id) OVER in_order = opening.video_id
        AND opening.start - lag(closing.stop) OVER in_order <= $gap + $tolerance THEN 0 ELSE 1 END AS opens
    FROM islands JOIN shores opening ON opening.place = first JOIN shores closing ON closing.place = last
    WINDOW in_order AS (ORDER BY first)
), bridged AS (
    SELECT min(first) AS first, max(last) AS last, max(stop) - min(start) AS seconds, sum(frames) AS frames,
        sum(confidence) AS confidence, sum(confidence_low) AS confidence_low, sum(confidence_high) AS confidence_high,
        max(best) AS best{bridged_peaks}
    FROM (SELECT *, sum(opens) OVER (ORDER BY first ROWS UNBOUNDED PRECEDING) AS span FROM opened)
    GROUP BY span
), """

VIDEOS = """\
videos AS (
    SELECT DISTINCT video_id FROM clips
    WHERE video_id GLOB $video OR parse_filename(source, false, 'both_slash') GLOB $video
), """

WITHIN = " WHERE video_id IN (FROM videos)"

CONFIDENCE = ", ".join(
    f"sum(${name}[least(key_distance + 1, len(${name}))]) AS {column}"
    for name, column in (("agreement", "confidence"), ("low", "confidence_low"), ("high", "confidence_high"))
)
UNAUDITED = "NULL::DOUBLE AS confidence, NULL::DOUBLE AS confidence_low, NULL::DOUBLE AS confidence_high"

Value = float | int | str | list[float]


@dataclass(frozen=True)
class Statement:
    """What DuckDB is given."""

    sql: str
    """Its columns are those that ``search.Hit`` has, in its order, then one peak a class."""
    parameters: dict[str, Value]
    classes: tuple[str, ...]
    """The classes of the last columns, in their order."""


def compile_query(
    query: Query, taxonomy: Taxonomy, limit: int | None = None, agreement: Agreement | None = None
) -> Statement:
    """The statement that finds the spans of a query.

    Args:
        query: As ``language.parse`` gives it.
        taxonomy: The classes of the run.
        limit: At most so many spans, the first ones in the order that the query asks for.
        agreement: How sure the labels of the wanted classes are; None: nobody looked.
    """
    asked = Conditions({name: taxonomy.classes.index(name) for name in mentioned(query.condition)})
    parameters: dict[str, Value] = {"minimum": query.min_seconds, "tolerance": TOLERANCE}
    if query.gap_seconds:
        parameters["gap"] = query.gap_seconds
    source, given = asked.source(query.condition)
    conditions = [asked.exact(query.condition, given)]
    if asked.moments and given is None:
        conditions.append(asked.possible(query.condition))
    for name, sign, seconds in (("after", ">=", query.after), ("before", "<", query.before)):
        if seconds is not None:
            conditions.append(f"start {sign} ${name} - $tolerance")
            parameters[name] = seconds
    if query.video is not None:
        parameters["video"] = query.video
    if agreement is not None:
        parameters |= {"agreement": agreement.mean, "low": agreement.low, "high": agreement.high}
    if limit is not None:
        parameters["limit"] = limit
    peak_of = [f"share_{asked.ids[name]}" for name in wanted(query.condition)]
    sql = SPANS.format(
        videos=VIDEOS if query.video is not None else "",
        within="" if query.video is None else WITHIN + "\n    ORDER BY place" if asked.moments else WITHIN,
        columns="".join(f", {expression} AS {name}" for name, expression in asked.columns.items()),
        moments=(COVERED if asked.moments else "") + "".join(asked.moments),
        source=source,
        condition=" AND ".join(f"({each})" for each in conditions) if len(conditions) > 1 else conditions[0],
        order="ORDER BY place" if asked.moments or query.video is not None else "",
        bridged=BRIDGED.format(bridged_peaks="".join(f", max(peak_{i}) AS peak_{i}" for i in asked.ids.values()))
        if query.gap_seconds
        else "",
        found="bridged" if query.gap_seconds else "islands",
        confidence=UNAUDITED if agreement is None else CONFIDENCE,
        total=total(peak_of) if peak_of else "NULL::FLOAT",
        peaks="".join(f", max(share_{i}) AS peak_{i}" for i in asked.ids.values()),
        names="".join(f", peak_{i}" for i in asked.ids.values()),
        sort=_sort(query),
        limit="\nLIMIT $limit" if limit is not None else "",
    )
    return Statement(sql, parameters | asked.parameters, tuple(asked.ids))


def _sort(query: Query) -> str:
    direction = "DESC" if query.descending else "ASC"
    if query.sort == "time":
        return f"first {direction}"
    column = {"peak": "best[1]", "duration": "round(seconds, 6)", "confidence": "confidence / frames"}[query.sort]
    return f"{column} {direction} NULLS LAST, first"
