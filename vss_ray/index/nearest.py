"""Keyframes by their likeness to a vector, best first: exact, by DuckDB, in pages.

The likeness is the inner product of vectors of length 1, their cosine. A page is one pass over the table, in which only
the best rows are held; whoever wants more rows than a page has asks for the next one, which begins below the last row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

PAGE = 4000
"""Rows."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One keyframe and how much it is like what was asked for."""

    video_id: str
    clip_id: str
    frame: int
    seconds: float
    vector: NDArray[np.float32]
    """(E,)"""
    score: float = 1.0


class Ranking(Protocol):
    """Something that knows all keyframes of a table."""

    def pages(self, vector: NDArray[np.float32]) -> Iterator[list[Candidate]]:
        """Keyframes by falling score; of equals the one that the table has first."""
        ...


class Exact:
    """Every keyframe is compared.

    Args:
        connection: See ``tables.connect``.
        view: A view with the columns of ``schema.keyframes_schema``.
        size: Length of its vectors.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, view: str, size: int) -> None:
        self._connection, self._view, self._size = connection, view, size

    def pages(self, vector: NDArray[np.float32]) -> Iterator[list[Candidate]]:
        """See ``Ranking``."""
        wanted: dict[str, Any] = {"vector": vector.tolist(), "page": PAGE}
        below = ""
        while True:
            table = self._connection.sql(
                f"WITH scored AS (SELECT *, {likeness(self._size)} AS score FROM {self._view}) "
                f"SELECT {COLUMNS}, score FROM scored {below} ORDER BY score DESC, video_id, frame LIMIT $page",
                params=wanted,
            ).to_arrow_table()
            found = candidates(table)
            yield found
            if len(found) < PAGE:
                return
            last = found[-1]
            wanted |= {"score": last.score, "video_id": last.video_id, "frame": last.frame}
            below = "WHERE score < $score::FLOAT OR score = $score::FLOAT AND (video_id, frame) > ($video_id, $frame)"


def likeness(size: int) -> str:
    """SQL: of ``embedding`` and the parameter ``vector``."""
    return f"array_inner_product(embedding::FLOAT[{size}], $vector::FLOAT[{size}])"


COLUMNS = "video_id, clip_id, frame, pts_seconds AS seconds, embedding::FLOAT[] AS vector"


def candidates(table: pa.Table) -> list[Candidate]:
    """Rows of ``COLUMNS``, with ``score`` where there is one."""
    rows = table.drop_columns("vector").to_pylist()
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1) if rows else ()
    return [Candidate(vector=vector, **row) for row, vector in zip(rows, vectors, strict=True)]
