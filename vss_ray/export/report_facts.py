"""The numbers behind a report, aggregated by DuckDB: what comes back is small, however long the archive is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.documents import read_json
from vss_ray.index.confidence import AUDITS, CLIPS
from vss_ray.index.tables import connect
from vss_ray.metrics.agreement import interval
from vss_ray.run import Run

COLUMNS = 240
"""Points in time of the whole archive."""
STRIP = 120
"""Points in time of one video."""
VIDEOS = 40
"""Videos that get a strip of their own: the longest."""
FARTHEST = 30
"""Keyframe distances beyond are one bar."""

NUDGE = 1e-6
"""Columns; what the rounding of times may add up to."""

TOTALS = """\
SELECT count(DISTINCT video_id), count(*), coalesce(sum(num_frames), 0), coalesce(sum(num_keyframes), 0),
    coalesce(sum(num_network), 0), coalesce(sum(stop_seconds - start_seconds), 0), coalesce(sum(mask_bytes), 0),
    coalesce(sum(decoded_frames), 0), count(*) FILTER (pass = 'coarse')
FROM clips
"""
# Videos lie end to end, in the order of their names.
ARCHIVE = """\
WITH videos AS (
    SELECT video_id, max(stop_seconds) AS length, sum(max(stop_seconds)) OVER (ORDER BY video_id) AS until
    FROM clips GROUP BY video_id
), placed AS (
    SELECT (until - length + pts_seconds) / (SELECT max(until) FROM videos) * $columns AS place,
        (until - length + stop_seconds) / (SELECT max(until) FROM videos) * $columns AS stop, {areas}
    FROM wide JOIN videos USING (video_id)
)
SELECT least(floor(place + {nudge}), $columns - 1)::INTEGER, max(stop), count(*), {means}
FROM placed GROUP BY 1 ORDER BY 1
"""
LONGEST = """\
SELECT video_id, min(source), max(stop_seconds), sum(num_frames) FROM clips
GROUP BY video_id ORDER BY max(stop_seconds) DESC, video_id LIMIT $videos
"""
STRIPS = """\
SELECT video_id, least(floor(pts_seconds / length * $columns + {nudge}), $columns - 1)::INTEGER,
    max(stop_seconds / length * $columns), {means}
FROM wide JOIN (SELECT unnest($names) AS video_id, unnest($lengths) AS length) USING (video_id)
GROUP BY 1, 2 ORDER BY 1, 2
"""
DISTANCES = """\
SELECT least(key_distance, $farthest + 1) AS distance, count(*) FROM wide GROUP BY 1 ORDER BY 1
"""
COSTS = """\
SELECT sum({stage}_seconds) / sum(num_frames), quantile_cont(per_frame, 0.5), quantile_cont(per_frame, 0.95)
FROM (SELECT *, {stage}_seconds / num_frames AS per_frame FROM clips WHERE num_frames > 0)
"""
STAGES = {
    "prepare": "decoding, motion, choice of keyframes",
    "infer": "networks",
    "finish": "propagation, labels, encoding, counting",
}


Column = tuple[int, float, list[float]]
"""Place, end of the last frame that begins in it, mean shares."""


@dataclass(frozen=True)
class Totals:
    """Of the whole run."""

    videos: int
    clips: int
    frames: int
    keyframes: int
    network: int
    seconds: float
    mask_bytes: int
    decoded: int
    coarse_clips: int


@dataclass(frozen=True, eq=False)
class Strip:
    """One video."""

    video_id: str
    source: str
    seconds: float
    frames: int
    shares: NDArray[np.float64]
    """(STRIP, C) mean share per class; NaN where no frame is."""


@dataclass(frozen=True)
class Cost:
    """Core milliseconds a frame of one stage."""

    stage: str
    about: str
    mean: float
    median: float
    slow: float
    """95 % of the clips take less."""


@dataclass(frozen=True)
class Agreement:
    """Carried labels against the network's own, shares from 0 to 1."""

    name: str
    pictures: int
    mean: float
    half_width: float | None
    """Of the 95 % interval; None where a single picture says nothing of it."""
    ceiling: float
    """The network with itself a frame earlier."""


@dataclass(frozen=True, eq=False)
class Facts:
    """Everything a report shows."""

    totals: Totals
    archive: NDArray[np.float64]
    """(COLUMNS, C) mean share per class; NaN where no frame is."""
    shares: NDArray[np.float64]
    """(C,) of all pixels."""
    strips: list[Strip]
    distances: list[tuple[int, int]]
    """(pictures to the nearest keyframe, frames); one more than ``FARTHEST`` stands for all beyond."""
    costs: list[Cost]
    by_distance: list[Agreement]
    by_class: list[Agreement]
    summary: dict[str, Any]
    """The closing summary of the last attempt; empty where there is none."""


def gather(run: Run) -> Facts:
    """Ask the tables.

    Raises:
        StorageError: There are no tables, or they cannot be read.
    """
    num_classes = len(run.taxonomy)
    areas = ", ".join(f"area_{i}" for i in range(num_classes))
    means = ", ".join(f"avg(area_{i})" for i in range(num_classes))
    with connect(run.location, run.taxonomy) as connection:
        totals = Totals(*(connection.execute(TOTALS).fetchone() or ()))
        if not totals.frames:
            nothing = np.full((COLUMNS, num_classes), np.nan)
            return Facts(totals, nothing, np.zeros(num_classes), [], [], [], [], [], {})
        statement = ARCHIVE.format(areas=areas, means=means, nudge=NUDGE)
        rows = connection.execute(statement, {"columns": COLUMNS}).fetchall()
        archive = _placed([(place, stop, values) for place, stop, _, *values in rows], COLUMNS, num_classes)
        shares = np.average([row[3:] for row in rows], axis=0, weights=[row[2] for row in rows])
        distances = connection.execute(DISTANCES, {"farthest": FARTHEST}).fetchall()
        pictures = _pictures(connection)
        return Facts(
            totals,
            archive,
            shares,
            _strips(connection, means, num_classes),
            [(int(distance), int(count)) for distance, count in distances],
            [_cost(connection, stage, about) for stage, about in STAGES.items()],
            _by_distance(pictures),
            _by_class(pictures, run.taxonomy.classes),
            run.content().get("summary") or {},
        )


def _placed(rows: list[Column], columns: int, num_classes: int) -> NDArray[np.float64]:
    """Every column shows the frames that begin in it, or the one before where that lasts so long."""
    shares = np.full((columns, num_classes), np.nan)
    for (place, stop, values), follower in zip(rows, [*(row[0] for row in rows[1:]), columns], strict=True):
        shares[place : min(max(math.ceil(stop - NUDGE), place + 1), follower)] = values
    return shares


def _strips(connection: duckdb.DuckDBPyConnection, means: str, num_classes: int) -> list[Strip]:
    videos = sorted(connection.execute(LONGEST, {"videos": VIDEOS}).fetchall())
    names, lengths = [video[0] for video in videos], [max(video[2], 1e-9) for video in videos]
    parameters = {"columns": STRIP, "names": names, "lengths": lengths}
    rows = connection.execute(STRIPS.format(means=means, nudge=NUDGE), parameters).fetchall()
    by_video: dict[str, list[Column]] = {name: [] for name in names}
    for name, place, stop, *values in rows:
        by_video[name].append((place, stop, values))
    return [
        Strip(name, source, seconds, int(frames), _placed(by_video[name], STRIP, num_classes))
        for name, source, seconds, frames in videos
    ]


def _cost(connection: duckdb.DuckDBPyConnection, stage: str, about: str) -> Cost:
    row = connection.execute(COSTS.format(stage=stage)).fetchone() or (0, 0, 0)
    return Cost(stage, about, *(1000 * float(value) for value in row))


def _pictures(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, NDArray[np.float64]]]:
    """(distance, (3, C) pixels, agreeing, repeated) of audited pictures, of a sample of clips in a long archive."""
    audits = connection.execute(AUDITS, {"clips": CLIPS}).fetchall()
    return [
        (int(row["distance"]), np.array([row["pixels"], row["agreeing"], row["repeated"]], np.float64))
        for (audit,) in audits
        for row in read_json(audit)
    ]


def _by_distance(pictures: list[tuple[int, NDArray[np.float64]]]) -> list[Agreement]:
    found = []
    for distance in sorted({distance for distance, _ in pictures}):
        counts = np.array([each.sum(1) for other, each in pictures if other == distance])
        found.append(_agreement(str(distance), counts))
    return found


def _by_class(pictures: list[tuple[int, NDArray[np.float64]]], classes: tuple[str, ...]) -> list[Agreement]:
    found = []
    for index, name in enumerate(classes):
        counts = np.array([each[:, index] for _, each in pictures if each[0, index]])
        if len(counts):
            found.append(_agreement(name, counts))
    return found


def _agreement(name: str, counts: NDArray[np.float64]) -> Agreement:
    """Of (n, 3) pixels, agreeing, repeated: ratios of sums, whose interval has pictures for its sample, linearized."""
    pixels, agreeing, repeated = counts.sum(0)
    share = agreeing / pixels
    terms = share + (counts[:, 1] - share * counts[:, 0]) / counts[:, 0].mean()
    half_width = interval(terms.tolist())["half_width"] or None  # pictures that are all alike tell no spread
    return Agreement(name, len(counts), float(share), half_width, float(repeated / pixels))
