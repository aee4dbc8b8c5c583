"""The tables of a run in DuckDB, wherever OUT is."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.errors import StorageError
from vss_ray.index import schema
from vss_ray.index.ranges import RangedFiles
from vss_ray.index.schema import BUILD_KEY, CELLS, CLIPS, SCHEMA_VERSION, VERSION_KEY, keyframes_schema, stored_schema
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.location import Location, MissingError

PATHS = {name: f"tables/{name}.parquet/part-0.parquet" for name in ("clips", "frames", "keyframes")}
"""Where the tables are in OUT."""

TRACKS_PATH = "tables/tracks.parquet/part-0.parquet"
"""Of the objects that were followed, where some were."""

NOTHING: Mapping[str, str] = MappingProxyType({})
REBUILD = "run `vss status OUT --compact` to make it anew"
REPLACED_SECONDS, AGAIN_SECONDS = 5.0, 0.05
"""How long it is tried to find tables that belong together, and how often."""

Footers = Mapping[str, pq.FileMetaData]
"""By the name of the table."""

TRACKS = "tracks"
STORED, WIDE = "stored", "wide"
"""Views of the frames as they are stored, every number in a column of its own: see ``schema.stored_schema``."""

SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "3GB",  # what is more goes to the scratch folder
}
CACHE = "SET parquet_metadata_cache = true"
"""The footer of a table of 90 million frames is large, and every statement would read it anew."""
LOCK = "SET allowed_directories = ['vss://']; SET enable_external_access = false; SET lock_configuration = true"
"""Whatever a statement says, it reaches the tables, its own scratch folder and nothing else."""


class ReplacedError(StorageError):
    """A table was replaced while it was read, which S3 does not hide; asked again, the new one answers."""


@contextmanager
def connect(
    location: Location, taxonomy: Taxonomy, further: Mapping[str, str] = NOTHING
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the views ``clips``, ``frames``, ``keyframes`` and ``tracks``; see ``schema``.

    The view ``wide`` holds the frames as well, with ``area_3`` for ``area[4]``: a question about one class that asks it
    reads that class alone, where a list is put together from all of them. Its rows come in the order of ``place``.

    Args:
        location: OUT.
        taxonomy: The classes of the run.
        further: Views of other Parquet files of OUT: name and path.

    Raises:
        StorageError: There are no tables, they cannot be read, or they are of another version or other classes.
    """
    if location.exists(TRACKS_PATH):
        further = {**further, TRACKS: TRACKS_PATH}
    files, footers = _opened(location, {**PATHS, **further})
    with (
        closing(files),
        TemporaryDirectory(prefix="vss-search-") as scratch,
        duckdb.connect(config={**SETTINGS, "temp_directory": scratch}) as connection,
    ):
        num_classes = _check(location, taxonomy, footers)
        connection.register_filesystem(files)
        try:
            connection.execute(CACHE)
            for name in (*PATHS, *further):
                connection.read_parquet(f"vss://{name}").create_view(STORED if name == "frames" else name)
            if TRACKS not in further:
                connection.register(TRACKS, schema.TRACKS.empty_table())
            if num_classes == 0:  # a run that has no clip yet
                connection.register(STORED, stored_schema(len(taxonomy)).empty_table())
            connection.execute(f"CREATE VIEW {WIDE} AS SELECT *, pts_seconds + lasts AS stop_seconds FROM {STORED}")
            connection.execute(_frames(len(taxonomy)))
            connection.execute(LOCK)
            yield connection
        except duckdb.Error as error:
            if files.failure is None:
                raise
            if _is_replaced(files.failure):
                raise ReplacedError(f"{location.url('tables')} was replaced while it was read; ask again") from error
            raise StorageError(f"cannot read {location.url('tables')}: {files.failure}; try again") from error


def count_damaged(location: Location) -> int:
    """Clips in the tables whose files are damaged; those that were done since then are not among them.

    Raises:
        StorageError: OUT cannot be read.
    """
    try:
        with location.open_input(PATHS["clips"]) as file:
            table = pq.ParquetFile(file, pre_buffer=False).read(["damaged"], use_threads=False)
    except MissingError:
        return 0
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{location.url(PATHS['clips'])} is no Parquet file: {error}; {REBUILD}") from error
    return sum(len(column) - column.null_count for column in table.columns)  # tables of before have no such column


def _frames(num_classes: int) -> str:
    """The view ``frames``: lists, as in ``frames_schema``, and ``stop_seconds``."""
    lists = {"objects": [f"objects_{i}" for i in range(num_classes)]}
    lists["grid"] = [f"grid_{cell}_{i}" for cell in range(CELLS) for i in range(num_classes)]
    kinds = {"grid": "UTINYINT", "objects": "USMALLINT"}
    made = [f"[{', '.join(lists[name])}]::{kind}[] AS {name}" for name, kind in kinds.items()]
    made.append("stop_seconds")
    return f"CREATE VIEW frames AS SELECT {', '.join([*stored_schema(0).names, *made])} FROM {WIDE}"


def _opened(location: Location, paths: Mapping[str, str]) -> tuple[RangedFiles, Footers]:
    """The files, with the footers of the tables, which come from one compaction.

    Tables are replaced one after the other; whoever opens some before and some after that opens them all again.
    """
    until = time.monotonic() + REPLACED_SECONDS
    while True:
        try:
            files = RangedFiles(location, paths)
        except MissingError as error:
            raise StorageError(
                f"{location.root} has no tables: run `vss segment` first, or `vss status OUT --compact` if it has run"
            ) from error
        try:
            footers = {name: _footer(location, name, files) for name in PATHS}
            if len({(footer.metadata or {}).get(BUILD_KEY) for footer in footers.values()}) == 1:
                return files, footers
            if time.monotonic() > until:
                raise StorageError(
                    f"the tables in {location.root} are being replaced, or that was cut off; ask again, or {REBUILD}"
                )
        except ReplacedError:
            if time.monotonic() > until:
                files.close()
                raise
        except BaseException:
            files.close()
            raise
        files.close()
        time.sleep(AGAIN_SECONDS)


def _footer(location: Location, name: str, files: RangedFiles) -> pq.FileMetaData:
    try:
        footer = pq.read_metadata(files.files[name])
    except OSError as error:
        if _is_replaced(error):
            raise ReplacedError(f"{location.url(PATHS[name])} was replaced while it was read; ask again") from error
        raise StorageError(f"{location.url(PATHS[name])} cannot be read: {error}; {REBUILD}") from error
    except pa.ArrowException as error:
        raise StorageError(f"{location.url(PATHS[name])} is no Parquet file: {error}; {REBUILD}") from error
    version = (footer.metadata or {}).get(VERSION_KEY, b"none").decode(errors="replace")
    if version != str(SCHEMA_VERSION):
        raise StorageError(
            f"{location.url(PATHS[name])}: got schema version {version}, wanted {SCHEMA_VERSION}; {REBUILD}"
        )
    return footer


def _is_replaced(error: BaseException) -> bool:
    """Whether S3 says that the object is another one by now, as s3fs tells it."""
    return isinstance(error, OSError) and error.errno == errno.EBUSY


def _check(location: Location, taxonomy: Taxonomy, footers: Footers) -> int:
    """How many classes the tables have; 0: there is no clip yet."""
    num_classes = sum(name.startswith("area_") for name in footers["frames"].schema.to_arrow_schema().names)
    if num_classes not in (0, len(taxonomy)):
        raise StorageError(
            f"the tables in {location.root} have {num_classes} classes and the taxonomy {taxonomy.name} has "
            f"{len(taxonomy)}; use the one in run.json"
        )
    _check_columns(location, "clips", footers, CLIPS)
    if num_classes:
        _check_columns(location, "frames", footers, stored_schema(num_classes))
    _check_columns(location, "keyframes", footers, pa.schema(list(keyframes_schema(0))[:-1]))
    return num_classes


def _check_columns(location: Location, name: str, footers: Footers, wanted: pa.Schema) -> None:
    found = footers[name].schema.to_arrow_schema()
    for field in wanted:
        kinds = [each.type for each in found if each.name == field.name]
        if kinds != [field.type] and (kinds or name != "clips"):  # those of before lack a few
            got = " and ".join(map(str, kinds)) or "none"
            raise StorageError(
                f"{location.url(PATHS[name])}: column {field.name}: got {got}, wanted {field.type}; {REBUILD}"
            )
