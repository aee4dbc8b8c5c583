"""Keyframes by their likeness to a vector, nearly all of the best: a graph of neighbors, for millions of rows.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs", TPAMI 2020, by the package ``usearch``. A graph is made once of a table and kept in a folder of this machine
(``$XDG_CACHE_HOME/vss-ray``, else ``~/.cache/vss-ray``), under the digest of the table's footer: its sizes and the
statistics of its row groups. A table that has changed is another table. The scores are exact; what may be missing is a
row.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import StorageError
from vss_ray.index.nearest import Candidate
from vss_ray.kept import cache_folder
from vss_ray.storage.location import Location

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 24, 128, 256
"""Neighbors a row; rows looked at to find them; rows looked at to answer, at least."""
FIRST_PAGE, LAST_PAGE = 4000, 64_000
"""Rows asked for at first and at most; a page has four times as many as the one before."""
AT_ONCE = 50_000
"""Rows read while the graph is made."""


class Graph:
    """See the module and ``nearest.Ranking``.

    Args:
        connection: See ``tables.connect``.
        location: OUT.
        path: The table in it, with the columns of ``schema.keyframes_schema``.
        view: The table's name: ``vss://view`` is the file.
        size: Length of its vectors.

    Raises:
        StorageError: ``usearch`` is not installed.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, location: Location, path: str, view: str, size: int
    ) -> None:
        self._connection, self._view = connection, view
        file = cache_folder() / f"graph-{digest(location, path)}.usearch"
        index = _empty(size)
        if not file.exists():
            self._build(index, file)
        index.view(os.fspath(file))
        self._index = index

    def pages(self, vector: NDArray[np.float32]) -> Iterator[list[Candidate]]:
        """See ``nearest.Ranking``."""
        known: set[int] = set()
        wanted = FIRST_PAGE
        while True:
            self._index.expansion_search = max(EXPANSION_SEARCH, wanted)
            rows = {int(key) for key in self._index.search(vector.astype(np.float16), wanted).keys}
            yield self._read(sorted(rows - known), vector)
            if len(rows) < wanted or wanted >= LAST_PAGE:
                return
            known |= rows
            wanted *= 4

    def _read(self, rows: list[int], vector: NDArray[np.float32]) -> list[Candidate]:
        """Those rows of the table, by falling score."""
        table = self._connection.sql(
            "SELECT video_id, clip_id, frame, pts_seconds AS seconds "
            f"FROM read_parquet('vss://{self._view}', file_row_number = true) "
            "WHERE file_row_number IN (SELECT unnest($rows)) ORDER BY file_row_number",
            params={"rows": rows},
        ).to_arrow_table()
        # The graph holds the table's own vectors: to read them there would mean to read most of the table.
        vectors = np.asarray(self._index.get(np.array(rows, np.uint64))).astype(np.float32).reshape(len(rows), -1)
        found = [
            Candidate(vector=own, score=float(own @ vector), **row)
            for own, row in zip(vectors, table.to_pylist(), strict=True)
        ]
        return sorted(found, key=lambda each: (-each.score, each.video_id, each.frame))

    def _build(self, index: Any, file: Path) -> None:
        reader = self._connection.sql(
            f"SELECT embedding FROM read_parquet('vss://{self._view}', file_row_number = true) ORDER BY file_row_number"
        ).to_arrow_reader(AT_ONCE)
        size = index.ndim
        parts = [batch.column(0).flatten().to_numpy().astype(np.float16).reshape(-1, size) for batch in reader]
        vectors = np.concatenate(parts)
        # In order of time, footage would become chains that no way leads to from elsewhere.
        order = np.random.default_rng(0).permutation(len(vectors))
        for start in range(0, len(order), AT_ONCE):
            keys = order[start : start + AT_ONCE]
            index.add(keys.astype(np.uint64), vectors[keys])
        unfinished = file.with_name(f"{file.name}.{os.getpid()}.partial")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            index.save(os.fspath(unfinished))
            unfinished.replace(file)
        except (OSError, RuntimeError) as error:
            unfinished.unlink(missing_ok=True)
            raise StorageError(f"cannot write {file}: {error}; set XDG_CACHE_HOME to a folder with room") from error


def digest(location: Location, path: str) -> str:
    """Of a Parquet file's size and footer, in hex."""
    size = location.size(path)
    with location.open_input(path) as file:
        file.seek(size - 8)
        length = int.from_bytes(file.read(4), "little")
        file.seek(size - 8 - length)
        return hashlib.blake2b(file.read() + size.to_bytes(8, "little"), digest_size=16).hexdigest()


def _empty(size: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise StorageError(
            "so many keyframes are searched along a graph, and that needs usearch: pip install 'vss-ray[search]'"
        ) from error
    return Index(
        ndim=size,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
