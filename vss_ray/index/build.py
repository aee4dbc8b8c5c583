"""Compaction: the commit records of a run become three sorted tables, tables/{clips,frames,keyframes}.parquet.

The tables hold nothing that the records do not: they can be rebuilt at any time, and the same records give the same
bytes. Records stream in order of video and clip into local files, so that memory never holds them all. Then the tables
are replaced, each in a single write, and each says which records it was made from: readers refuse a mixture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from vss_ray.errors import StorageError
from vss_ray.index.rows import Rows, spread
from vss_ray.index.schema import BUILD_KEY, CLIPS, frames_schema, keyframes_schema, record_schema, stored_schema
from vss_ray.index.tables import PATHS
from vss_ray.index.times import Clock
from vss_ray.storage.commit import committed, read_record
from vss_ray.storage.location import Location

ROW_GROUPS = {"clips": 5_000, "frames": 1_000_000, "keyframes": 50_000}
"""Rows at most; those of a group are in memory together while tables are written."""

AT_ONCE = 32
"""Records read at the same time."""

Record = tuple[dict[str, Any], pa.Table]
"""Clip row and frame rows, as ``storage.commit`` has them."""


@dataclass(frozen=True)
class Counts:
    """What the tables hold."""

    num_videos: int
    num_clips: int
    num_frames: int
    num_keyframes: int
    """Those with an embedding."""


def compact(location: Location, clips: Iterable[tuple[str, str]] | None = None) -> Counts:
    """Write the tables from the commit records.

    Args:
        location: OUT.
        clips: (video_id, clip_id) of the clips that count, those of the manifest; None: all that are committed.

    Raises:
        StorageError: A record cannot be read, or is of another version; or a table cannot be written.
    """
    done = committed(location)
    order = sorted(done if clips is None else done & set(clips))
    return write_tables(location, _records(location, order))


def write_tables(location: Location, records: Iterable[Record]) -> Counts:
    """Write the tables from records in order of video and clip; nothing is replaced before all of them are read.

    Raises:
        StorageError: A table cannot be written.
    """
    with TemporaryDirectory(prefix="vss-tables-") as folder:
        files = {name: Path(folder) / f"{name}.parquet" for name in PATHS}
        counts = _write(files, iter(records))
        location.write_files({PATHS[name]: file for name, file in files.items()})
    return counts


def _records(location: Location, order: list[tuple[str, str]]) -> Iterator[Record]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, len(order), AT_ONCE):
            for clip, frames in pool.map(lambda key: read_record(location, *key), order[first : first + AT_ONCE]):
                if "grid" not in frames.schema.names:
                    raise StorageError(
                        f"{location.root} was made by an earlier version, whose records lack the grid, objects and "
                        "embeddings of frames; run `vss segment` into a new OUT"
                    )
                if not _fits(frames.schema):
                    raise StorageError(
                        f"{location.root}: the record of {clip['video_id']}/{clip['clip_id']} has other columns than "
                        "this version writes; delete it and run again, its clip is then made anew"
                    )
                yield clip, frames


def _fits(found: pa.Schema) -> bool:
    """Whether the rows of a record are what ``record_schema`` says."""
    area = found.field("area").type if "area" in found.names else pa.null()
    if not pa.types.is_fixed_size_list(area):
        return False
    wanted = {field.name: field.type for field in record_schema(area.list_size)}
    return wanted == {field.name: field.type for field in found if field.name in wanted}


def _write(files: dict[str, Path], records: Iterator[Record]) -> Counts:
    first = next(records, None)
    num_classes = first[1].schema.field("area").type.list_size if first else 0
    clock, videos, build = Clock(), 0, hashlib.sha256()
    keyframes: Rows | None = None
    with ExitStack() as stack:

        def start(name: str, schema: pa.Schema, **options: Any) -> Rows:
            return stack.enter_context(Rows(files[name], schema, ROW_GROUPS[name], **options))

        stored = stored_schema(num_classes)
        clips = start("clips", CLIPS)
        frames = start("frames", stored, shape=lambda rows: spread(rows, stored))
        for record, then in _with_next(chain([first] if first else [], records)):
            clip, rows = record
            build.update(f"{clip['video_id']}/{clip['clip_id']} {clip['mask_sha256']}\n".encode())
            is_last = then is None or then[0]["video_id"] != clip["video_id"]
            videos += is_last
            embedded = rows.select([*keyframes_schema(0).names]).filter(rows["embedding"].is_valid())
            clips.add(pa.Table.from_pylist([clip | _facts(rows, embedded)], CLIPS))
            lasts, place = clock.times(clip, rows, None if is_last else then)
            listed = rows.select(frames_schema(num_classes).names)
            frames.add(listed.append_column("lasts", [lasts]).append_column("place", [place]))
            if len(embedded):
                if keyframes is None:
                    size = len(embedded["embedding"][0])
                    keyframes = start("keyframes", keyframes_schema(size))
                keyframes.add(embedded)
        if keyframes is None:
            keyframes = start("keyframes", keyframes_schema(0))
        for table in (clips, frames, keyframes):
            table.note({BUILD_KEY.decode(): build.hexdigest()})
    return Counts(videos, clips.num_rows, frames.num_rows, keyframes.num_rows)


def _with_next(records: Iterable[Record]) -> Iterator[tuple[Record, Record | None]]:
    before = None
    for record in records:
        if before is not None:
            yield before, record
        before = record
    if before is not None:
        yield before, None


def _facts(frames: pa.Table, embedded: pa.Table) -> dict[str, Any]:
    """What a clip's rows say of the clip: the columns that let a search pass over it."""
    area, objects = (_matrix(frames[name]) for name in ("area", "objects"))
    facts: dict[str, Any] = {"least": area.min(0), "peak": area.max(0), "most_objects": objects.max(0)}
    if len(embedded):
        total = np.sum(embedded["embedding"].to_pylist(), 0, dtype=np.float32)
        facts["embedding"] = total / max(np.linalg.norm(total), np.finfo(np.float32).tiny)
    return facts


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    """A column of lists of one length as (rows, length)."""
    lists = column.combine_chunks()
    return lists.flatten().to_numpy().reshape(len(lists), lists.type.list_size)
