"""The tables of a run in DuckDB, wherever OUT is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.errors import StorageError
from vss_ray.index.ranges import RangedFiles
from vss_ray.index.schema import SCHEMA_VERSION, VERSION_KEY
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location, MissingError

PATHS = {"clips": "tables/clips.parquet/part-0.parquet", "frames": "tables/frames.parquet/part-0.parquet"}
"""Where the tables are in OUT."""

SETTINGS: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
LOCK = "SET allowed_directories = ['vss://']; SET enable_external_access = false; SET lock_configuration = true"
"""Whatever a statement says, it reaches the two tables, its own scratch folder and nothing else."""


@contextmanager
def connect(location: Location, taxonomy: Taxonomy) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the views ``clips`` and ``frames``; see ``schema`` for their columns.

    Raises:
        StorageError: There are no tables, they cannot be read, or they are of another version or other classes.
    """
    _check(location, taxonomy)
    files = RangedFiles(location, PATHS)
    with (
        TemporaryDirectory(prefix="vss-search-") as scratch,
        duckdb.connect(config={**SETTINGS, "temp_directory": scratch}) as connection,
    ):
        connection.register_filesystem(files)
        try:
            for name in PATHS:
                connection.read_parquet(f"vss://{name}").create_view(name)
            connection.execute(LOCK)
            yield connection
        except duckdb.Error as error:
            if files.failure is None:
                raise
            raise StorageError(f"cannot read {location.url('tables')}: {files.failure}; try again") from error


def _check(location: Location, taxonomy: Taxonomy) -> None:
    rebuild = "run `vss status OUT --compact` to make it anew"
    schemas: dict[str, pa.Schema] = {}
    for name, path in PATHS.items():
        try:
            with location.open_input(path) as file:
                schemas[name] = pq.read_schema(file)
        except MissingError as error:
            raise StorageError(
                f"{location.root} has no tables: run `vss segment` first, or `vss status OUT --compact` if it has run"
            ) from error
        except (pa.ArrowException, OSError) as error:
            raise StorageError(f"{location.url(path)} is no Parquet file: {error}; {rebuild}") from error
        version = (schemas[name].metadata or {}).get(VERSION_KEY, b"none").decode()
        if version != str(SCHEMA_VERSION):
            raise StorageError(
                f"{location.url(path)}: got schema version {version}, wanted {SCHEMA_VERSION}; {rebuild}"
            )
    num_classes = schemas["frames"].field("area").type.list_size
    if num_classes not in (0, len(taxonomy)):  # 0: tables of a run that has no clip yet
        raise StorageError(
            f"the tables in {location.root} have {num_classes} classes and the taxonomy {taxonomy.name} has "
            f"{len(taxonomy)}; use the one in run.json"
        )
