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
from vss_ray.index.nearest import COLUMNS, Candidate, candidates, likeness
from vss_ray.storage.location import Location

CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 24, 128, 256
"""Neighbors a row; rows looked at to find them; rows looked at to answer, at least."""
FIRST_PAGE, LAST_PAGE = 500, 64_000
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
        file = cache_folder() / f"neighbors-{digest(location, path)}.usearch"
        index = _empty(size)
        if not file.exists():
            self._build(index, file)
        index.view(os.fspath(file))
        self._index = index

    def pages(self, vector: NDArray[np.float32]) -> Iterator[list[Candidate]]:
        """See ``nearest.Ranking``."""
        done = 0
        wanted = FIRST_PAGE
        while True:
            self._index.expansion_search = max(EXPANSION_SEARCH, wanted)
            rows = np.sort(self._index.search(vector.astype(np.float16), wanted).keys[done:].astype(np.int64))
            yield self._read(rows, vector)
            if len(rows) + done < wanted or wanted >= LAST_PAGE:
                return
            done, wanted = wanted, 4 * wanted

    def _read(self, rows: NDArray[np.int64], vector: NDArray[np.float32]) -> list[Candidate]:
        """Those rows of the table, by falling score."""
        table = self._connection.sql(
            f"SELECT {COLUMNS}, {likeness(len(vector))} AS score "
            f"FROM read_parquet('vss://{self._view}', file_row_number = true) "
            "WHERE file_row_number IN (SELECT unnest($rows)) ORDER BY score DESC, video_id, frame",
            params={"vector": vector.tolist(), "rows": rows.tolist()},
        ).to_arrow_table()
        return candidates(table)

    def _build(self, index: Any, file: Path) -> None:
        reader = self._connection.sql(
            f"SELECT file_row_number, embedding FROM read_parquet('vss://{self._view}', file_row_number = true)"
        ).to_arrow_reader(AT_ONCE)
        for batch in reader:
            keys, vectors = batch.column(0).to_numpy(), batch.column(1).flatten().to_numpy()
            index.add(keys.astype(np.uint64), vectors.reshape(len(keys), -1).astype(np.float16))
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


def cache_folder() -> Path:
    """Where graphs are kept on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vss-ray"


def _empty(size: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise StorageError(
            "so many keyframes are searched along a graph, and that needs usearch: pip install 'vss-ray[search]'"
        ) from error
    return Index(
        ndim=size,
        metric="ip",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
