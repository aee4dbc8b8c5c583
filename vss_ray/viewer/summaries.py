"""Timelines of a long archive, from its clips alone: the frames of a thousand hours are too many for a list.

The clips table says of every clip how little and how much of each class its frames show; the middle between the two
stands for the clip. One pass over the table, when the archive is opened, leaves some bytes a clip in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import duckdb
import numpy as np

from vss_ray.viewer.timelines import Timeline

MIDDLES = "SELECT video_id, (start_seconds + stop_seconds) / 2 AS middle, least, peak FROM clips ORDER BY ALL"


class Summaries:
    """Timelines by ``video_id``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: Mapping[str, float], columns: int) -> None:
        """Read the clips table.

        Args:
            connection: See ``index.tables.connect``.
            seconds: How long each video is.
            columns: Of every timeline.
        """
        table = connection.sql(MIDDLES).to_arrow_table()
        names = table["video_id"].combine_chunks().dictionary_encode()
        of_row = names.indices.to_numpy()
        lengths = np.array([max(seconds.get(name, 0.0), 1e-9) for name in names.dictionary.to_pylist()])
        places = (table["middle"].to_numpy() / lengths[of_row] * columns).astype(np.int64).clip(0, columns - 1)
        areas = sum(table[name].combine_chunks().flatten().to_numpy() for name in ("least", "peak")) / 2
        groups = of_row * np.int64(columns) + places
        first = np.flatnonzero(np.diff(groups, prepend=-1))
        counts = np.diff(first, append=len(groups))
        by_clip = np.asarray(areas, np.float32).reshape(len(groups), -1)
        self._columns = columns
        self._means = np.add.reduceat(by_clip, first) / counts[:, None] if len(first) else by_clip
        self._places = places[first]
        starts = np.searchsorted(of_row[first], np.arange(len(lengths) + 1))
        self._parts = dict(zip(names.dictionary.to_pylist(), pairwise(starts), strict=True))

    def timeline(self, video_id: str) -> Timeline:
        """Of one video; nothing is known of one that has no clip."""
        start, stop = self._parts.get(video_id, (0, 0))
        values = np.full((self._columns, 2 + self._means.shape[1]), np.nan)
        values[self._places[start:stop], 2:] = self._means[start:stop]
        values[self._places[start:stop], 0] = 1.0
        return Timeline.of(values)
