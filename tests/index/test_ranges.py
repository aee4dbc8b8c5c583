"""What DuckDB reads through a location is what is there, from many threads at once and byte for byte."""

from __future__ import annotations

import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray.index.ranges import RangedFiles
from vss_ray.storage.location import Location


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def location(request, tmp_path) -> Location:
    if request.param == "disk":
        return Location.open(tmp_path / "a::b [c]*")
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("s3").url
    return Location.open(f"{root}/{uuid.uuid4().hex}/a [c]*")


def test_a_position_belongs_to_a_thread(location):
    location.write("data", bytes(range(200)))
    file: Any = RangedFiles(location, {"data": "data"}).open("vss://data", "rb")
    file.seek(10)
    with ThreadPoolExecutor(1) as other:
        other.submit(file.seek, 100).result()
        assert file.read(2) == bytes([10, 11])
        assert other.submit(file.read, 2).result() == bytes([100, 101])
        assert file.read(2) == bytes([12, 13])


def test_duckdb_reads_right_with_many_threads(location):
    values = np.random.default_rng(0).integers(0, 2**40, (4, 200_000))
    table = pa.table(dict(zip("abcd", values, strict=True)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=20_000, use_dictionary=False)
    location.write("x/table.parquet", buffer.getvalue())
    sums = tuple(int(column.sum()) for column in values)
    for _ in range(2):
        with duckdb.connect(config={"threads": 4}) as connection:
            connection.register_filesystem(RangedFiles(location, {"table": "x/table.parquet"}))
            query = "SELECT sum(a), sum(b), sum(c), sum(d) FROM read_parquet('vss://table')"
            assert connection.execute(query).fetchone() == sums


def test_a_file_that_is_replaced_while_it_is_read(location):
    """What was there at first, or an error; never some of both."""
    location.write("data", b"old" * 1000)
    with closing(RangedFiles(location, {"data": "data"})) as files:
        assert files.fetch("data", 0, 3) == b"old"
        location.write("data", b"new!" * 1000)
        if location.root.startswith("s3://"):
            with pytest.raises(OSError, match="no longer exists"):
                files.fetch("data", 3, 6)
            assert files.failure is not None
        else:
            assert files.fetch("data", 3, 6) == b"old"
    assert location.read("data") == b"new!" * 1000


def test_one_read_is_one_range(location):
    location.write("data", bytes(range(200)))
    files = RangedFiles(location, {"data": "data"})
    assert files.info("vss://data")["size"] == 200
    file = files.open("vss://data", "rb")
    file.seek(190)
    assert file.read(5) == bytes(range(190, 195))
    assert file.read(100) == bytes(range(195, 200))
    assert files.fetch("data", 10, 12) == bytes([10, 11])
