"""Compaction: the commit records of a run become two sorted tables, tables/clips.parquet and tables/frames.parquet.

The tables hold nothing that the records do not: they can be rebuilt at any time, and the same records give the same
bytes. Records stream in order of video and clip into local files, so that memory never holds them all; a finished
file replaces the old one in a single write.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.index.schema import CLIPS, frames_schema
from vss_ray.index.tables import PATHS
from vss_ray.storage.commit import committed, read_record
from vss_ray.storage.location import Location

ROW_GROUP = 100_000
"""Rows at most; small enough that the statistics of a group pick out a few videos."""

# A dictionary for what repeats; for shares and times it makes the file larger.
WRITING: dict[str, Any] = {"compression": "zstd", "use_dictionary": ["video_id", "clip_id", "source"]}

AT_ONCE = 32
"""Records read at the same time."""


@dataclass(frozen=True)
class Counts:
    """What the tables hold."""

    num_videos: int
    num_clips: int
    num_frames: int


def compact(location: Location, clips: Iterable[tuple[str, str]] | None = None) -> Counts:
    """Write both tables from the commit records.

    Args:
        location: OUT.
        clips: (video_id, clip_id) of the clips that count, those of the manifest; None: all that are committed.

    Raises:
        StorageError: A record cannot be read, or a table not be written.
    """
    done = committed(location)
    order = sorted(done if clips is None else done & set(clips))
    num_classes = read_record(location, *order[0])[1].schema.field("area").type.list_size if order else 0
    schemas = {"clips": CLIPS, "frames": frames_schema(num_classes)}
    with TemporaryDirectory(prefix="vss-tables-") as folder:
        files = {name: Path(folder) / f"{name}.parquet" for name in schemas}
        with (
            ThreadPoolExecutor(AT_ONCE) as pool,
            _Rows(files["clips"], schemas["clips"]) as clip_rows,
            _Rows(files["frames"], schemas["frames"]) as frame_rows,
        ):
            for first in range(0, len(order), AT_ONCE):
                for clip, frames in pool.map(lambda key: read_record(location, *key), order[first : first + AT_ONCE]):
                    clip_rows.add(pa.Table.from_pylist([clip], CLIPS))
                    frame_rows.add(frames)
        for name, file in files.items():
            location.write(PATHS[name], file.read_bytes())
    return Counts(len({video_id for video_id, _ in order}), clip_rows.num_rows, frame_rows.num_rows)


class _Rows:
    """A Parquet file in the making: rows arrive in portions of any size and leave in full row groups."""

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.num_rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, **WRITING)
        self._waiting: list[pa.Table] = []
        self._num_waiting = 0

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *_: object) -> None:
        if self._num_waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._writer.close()

    def add(self, rows: pa.Table) -> None:
        self.num_rows += len(rows)
        self._num_waiting += len(rows)
        self._waiting.append(rows.select(self._schema.names).cast(self._schema))
        if self._num_waiting >= ROW_GROUP:
            full = self._num_waiting // ROW_GROUP * ROW_GROUP
            waiting = pa.concat_tables(self._waiting)
            self._writer.write_table(waiting[:full], row_group_size=ROW_GROUP)
            self._waiting = [waiting[full:]]
            self._num_waiting -= full
