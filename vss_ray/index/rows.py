"""A Parquet file in the making: rows arrive in portions of any size and leave in full row groups.

How the frames table is laid out decides how fast it answers. A question reads one or two classes of 90 million frames:
so every class has a column of its own, packed in what is fastest to unpack. Row groups are large, because each costs
the footer, which every connection reads, an entry per column.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.index.schema import CELLS

PIECES = 256
"""So many portions that wait become one: each takes some 70 kB beside its rows, and clips may be of few frames."""


class Rows:
    """See the module; a context manager that closes the file."""

    def __init__(
        self, file: Path, schema: pa.Schema, size: int, shape: Callable[[pa.Table], pa.Table] = lambda rows: rows
    ) -> None:
        """Start the file.

        Args:
            file: Created.
            schema: Of the file.
            size: Rows of a group, at most; so many wait in memory.
            shape: Makes rows that have arrived, a group at most, fit ``schema``.
        """
        self.num_rows = 0
        self._schema, self._size, self._shape = schema, size, shape
        self._writer = pq.ParquetWriter(file, schema, **_writing(schema))
        self._waiting: list[pa.Table] = []
        self._pieces: list[pa.Table] = []
        self._num_waiting = 0

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._num_waiting:
            self._leave(self._all())
        self._writer.close()

    def add(self, rows: pa.Table) -> None:
        """Take rows that follow those before."""
        self.num_rows += len(rows)
        self._num_waiting += len(rows)
        self._pieces.append(rows)
        if len(self._pieces) >= PIECES:
            self._waiting.append(pa.concat_tables(self._pieces).combine_chunks())
            self._pieces.clear()
        if self._num_waiting >= self._size:
            waiting = self._all()
            for start in range(0, self._num_waiting - self._size + 1, self._size):
                self._leave(waiting[start : start + self._size])
            self._waiting = [waiting[self._num_waiting // self._size * self._size :]]
            self._num_waiting %= self._size

    def note(self, metadata: dict[str, str]) -> None:
        """Put this into the metadata of the file."""
        self._writer.add_key_value_metadata(metadata)

    def _all(self) -> pa.Table:
        """What waits, which then waits no more."""
        waiting, self._waiting, self._pieces = pa.concat_tables([*self._waiting, *self._pieces]), [], []
        return waiting

    def _leave(self, rows: pa.Table) -> None:
        rows = self._shape(rows).select(self._schema.names).cast(self._schema)
        self._writer.write_table(rows, row_group_size=self._size)


def spread(rows: pa.Table, stored: pa.Schema) -> pa.Table:
    """Rows of ``frames_schema``, with times, as ``stored_schema`` has them: every list a column per element."""
    columns = {name: rows[name] for name in rows.schema.names if name in stored.names}
    for name in ("area", "objects", "grid"):
        lists = rows[name].combine_chunks()
        size = lists.type.list_size
        num_classes = size // CELLS if name == "grid" else size
        elements = lists.flatten().to_numpy().reshape(len(lists), size).T.copy()
        for i, values in enumerate(elements):
            cell, of_class = divmod(i, num_classes)
            columns[f"grid_{cell}_{of_class}" if name == "grid" else f"{name}_{i}"] = pa.array(values)
    return pa.table(columns)


def _writing(schema: pa.Schema) -> dict[str, Any]:
    """What a Parquet writer is told."""
    flat = [field for field in schema if not pa.types.is_nested(field.type)]
    # A dictionary for what repeats. Areas do not, and LZ4 unpacks them twice as fast as zstd, for a tenth more bytes.
    repeats = [
        f.name for f in flat if f.type in (pa.string(), pa.uint8(), pa.uint16(), pa.int32()) or f.name == "lasts"
    ]
    encodings = {f.name: "DELTA_BINARY_PACKED" for f in flat if f.type == pa.int64()}
    encodings |= {f.name: "BYTE_STREAM_SPLIT" for f in flat if f.type == pa.float64() and f.name not in repeats}
    compression = {_leaf(f): "lz4" if f.name.startswith("area_") else "zstd" for f in schema}
    if "area" in schema.names:  # nobody who is in a hurry reads it
        encodings[_leaf(schema.field("area"))] = "BYTE_STREAM_SPLIT"
    return {"compression": compression, "use_dictionary": repeats, "column_encoding": encodings}


def _leaf(field: pa.Field) -> str:
    """The name of a column in Parquet, where the values of a list have one of their own."""
    return f"{field.name}.list.element" if pa.types.is_nested(field.type) else field.name
