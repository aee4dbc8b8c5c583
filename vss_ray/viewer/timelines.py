"""How much of the picture each class covers over a video, in few enough columns to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.viewer.entries import VideoEntry

MOST_CLASSES = 24
"""Those that cover most are kept, where nothing else is said."""

COLUMNS = """\
SELECT video_id, least(floor(pts_seconds / map($ids, $seconds)[video_id] * $columns), $columns - 1)::INTEGER AS place,
    1 - avg(unreliable), avg(agreement), {means}
FROM wide WHERE video_id IN ({names}) GROUP BY ALL ORDER BY ALL
"""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The columns of one video, left to right."""

    classes: tuple[int, ...]
    """The classes that are there, those that cover most."""
    shares: NDArray[np.uint8]
    """(columns, classes) in 255ths of the picture; all zero where nothing is known."""
    reliable: NDArray[np.uint8]
    """(columns,) share of pixels whose motion was followed, in 255ths; 0 where nothing is known."""
    agreement: NDArray[np.uint8]
    """(columns,) audited agreement, in 255ths; 0 where there was no audit."""

    @classmethod
    def of(cls, values: NDArray[np.floating], most_classes: int = MOST_CLASSES) -> Timeline:
        """``values`` (columns, 2 + C): reliable, agreement, then the share of every class; NaN is unknown."""
        levels = np.nan_to_num(_filled(values)).clip(0, 1)
        totals = levels[:, 2:].sum(0)
        kept = sorted(int(i) for i in np.argsort(-totals, kind="stable")[:most_classes] if totals[i] > 0)
        rounded = np.rint(levels * 255).astype(np.uint8)
        return cls(
            tuple(kept), np.ascontiguousarray(rounded[:, 2:][:, kept]), rounded[:, 0].copy(), rounded[:, 1].copy()
        )


def timelines(
    connection: duckdb.DuckDBPyConnection,
    num_classes: int,
    videos: Sequence[VideoEntry],
    columns: int,
    most_classes: int = MOST_CLASSES,
) -> dict[str, Timeline]:
    """The timelines of some videos by ``video_id``, averaged from all their frames.

    Args:
        connection: See ``index.tables.connect``.
        num_classes: Of the run.
        videos: At least one, at most some dozens.
        columns: Of each.
        most_classes: See ``Timeline.of``.
    """
    # Names that stand in the statement as parameters of their own let DuckDB pass over most of the table.
    names = {f"video_{number}": video.video_id for number, video in enumerate(videos)}
    means = ", ".join(f"avg(area_{i}) AS mean_{i}" for i in range(num_classes))
    sql = COLUMNS.format(means=means, names=", ".join(f"${name}" for name in names))
    seconds = [max(video.seconds, 1e-9) for video in videos]
    parameters: dict[str, Any] = {**names, "ids": list(names.values()), "seconds": seconds, "columns": columns}
    values = {video.video_id: np.full((columns, 2 + num_classes), np.nan) for video in videos}
    for video_id, place, *row in connection.execute(sql, parameters).fetchall():
        values[video_id][place] = [np.nan if value is None else value for value in row]
    return {video_id: Timeline.of(each, most_classes) for video_id, each in values.items()}


def _filled(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Columns that no row falls into lie on a line between their neighbors.

    Where those are further apart than is usual there is a hole: nothing is known of it.
    """
    known = np.flatnonzero(~np.isnan(values[:, 0]))
    if not len(known):
        return values
    reach = np.ceil(1.5 * np.median(np.diff(known))) if len(known) > 1 else len(values)
    places = np.arange(len(values))
    behind = np.searchsorted(known, places)
    left, right = known[np.maximum(behind - 1, 0)], known[np.minimum(behind, len(known) - 1)]
    distance = np.where(left > places, right - places, np.where(right < places, places - left, right - left))
    lines = np.stack([np.interp(places, known, column) for column in values[known].T], 1)
    return np.where((distance <= reach)[:, None], lines, values)
