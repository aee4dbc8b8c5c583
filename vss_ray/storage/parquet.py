"""Small Parquet files that anybody may have written: looked at in the footer, then read by this thread alone.

A few bytes of Parquet can stand for any amount of memory, in three ways: rows without values, lists that repeat one
value, and one long string that every row names. The first two show in the footer; strings are read as numbers of a
dictionary, and only spelled out where that fits.

Nothing is ever run: Parquet holds plain values, and of the types that Arrow adds only those of the wanted schema are
read.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vss_ray.printable import one_line

ARROWS_OWN = b"ARROW:schema"
MOST_ROWS = 50_000_000
"""The clips of 140,000 hours."""
MOST_VALUES = 2**30
"""In all columns."""
MOST_BYTES = 8 * 2**30
"""Of a table in memory."""
AT_ONCE = 65_536
"""Rows that are read before their memory is counted."""


def table_of(content: bytes, schema: pa.Schema | None = None, most_rows: int = MOST_ROWS) -> pa.Table:
    """The table of a Parquet file.

    Args:
        content: The file.
        schema: Columns that must be there, of these types; others are left out. None takes all columns.
        most_rows: It may have.

    Raises:
        ValueError: It is no Parquet file, lacks columns, or stands for too much; one sentence.
    """
    try:
        file = _opened(content)
        _check_columns(file)
        _check_size(file.metadata, most_rows)
        found = file.schema_arrow
        wanted = pa.schema(_columns(found, found if schema is None else schema))
        told = {key: value for key, value in (file.metadata.metadata or {}).items() if key != ARROWS_OWN}
        return _read(content, wanted).replace_schema_metadata(told or None)
    except (pa.ArrowException, OSError) as error:
        reason = one_line(str(error))[:200]
        raise ValueError(f"no Parquet file of {len(content):,} bytes that Arrow can read: {reason}") from error


def bytes_of(table: pa.Table) -> bytes:
    """A whole Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _check_columns(file: pq.ParquetFile) -> None:
    """Have Arrow look at what the footer says of every column, and read none.

    It raises here what aborts the process where single columns of a footer are asked for.
    """
    footer = file.metadata
    for index in range(footer.num_row_groups):
        if footer.row_group(index).num_columns != footer.num_columns:
            raise ValueError("a group of rows has other columns than the file")
        list(file.reader.iter_batches(0, [index], column_indices=None, use_threads=False))


def _check_size(footer: pq.FileMetaData, most_rows: int) -> None:
    groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    values = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    claims = {
        "rows": (footer.num_rows, most_rows),
        "values": (values, MOST_VALUES),
        "bytes": (sum(group.total_byte_size for group in groups), MOST_BYTES),
    }
    for what, (claimed, most) in claims.items():
        if not 0 <= claimed <= most:
            raise ValueError(f"it claims {claimed:,} {what}, the limit is {most:,}")


def _columns(found: pa.Schema, wanted: pa.Schema) -> list[pa.Field]:
    """The wanted columns as the file has them."""
    if len(set(found.names)) < len(found.names):
        raise ValueError("two columns have the same name")
    for field in wanted:
        if field.name not in found.names:
            raise ValueError(f"it has no column {field.name}")
        kind = found.field(field.name).type
        if kind != field.type or isinstance(kind, pa.BaseExtensionType):
            raise ValueError(f"column {field.name}: got {kind}, wanted {field.type}")
    return [found.field(name) for name in wanted.names]


def _opened(content: bytes, as_numbers: list[str] | None = None) -> pq.ParquetFile:
    # Arrow's threads that read ahead now and then outlive the interpreter, which then aborts: exit code 134 after a
    # job well done.
    return pq.ParquetFile(pa.BufferReader(content), read_dictionary=as_numbers, pre_buffer=False)


def _read(content: bytes, wanted: pa.Schema) -> pa.Table:
    texts = [field.name for field in wanted if field.type in (pa.string(), pa.binary())]
    batches, taken = [], 0
    for batch in _opened(content, texts).iter_batches(AT_ONCE, columns=wanted.names, use_threads=False):
        taken += batch.nbytes + sum(_spelled(batch[name]) for name in texts)
        if taken > MOST_BYTES:
            raise ValueError(f"it takes more than {MOST_BYTES:,} bytes of memory")
        batches.append(batch.select(wanted.names).cast(wanted))
    return pa.Table.from_batches(batches, wanted)


def _spelled(column: pa.DictionaryArray) -> int:
    """Bytes of all texts of a column, one after the other."""
    return pc.sum(pc.binary_length(column.dictionary).take(column.indices), min_count=0).as_py()  # type: ignore[attr-defined]
