"""A Parquet file that is fed in portions."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray.index.rows import PIECES, Rows

SCHEMA = pa.schema([("frame", pa.int64()), ("name", pa.string())])


@pytest.mark.parametrize("portion", [1, 3, 400])
def test_rows_leave_in_order_and_in_full_groups_however_they_come(tmp_path: Path, portion: int) -> None:
    count, size = 2 * PIECES * 3 + 50, 500
    numbers = range(count)
    with Rows(tmp_path / "rows.parquet", SCHEMA, size) as rows:
        for start in range(0, count, portion):
            part = numbers[start : start + portion]
            rows.add(pa.table({"frame": part, "name": [f"n{n}" for n in part]}, SCHEMA))
    file = pq.ParquetFile(tmp_path / "rows.parquet")
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups[:-1] == [size] * (count // size)
    assert sum(groups) == rows.num_rows == count
    assert file.read()["frame"].to_pylist() == list(numbers)
