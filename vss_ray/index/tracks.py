"""The tracks table: every object on every frame, from the commit records of OUT/objects and OUT/things.

Made anew as ``build`` makes the others; it stands by itself, because objects are followed when the labels are there.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from vss_ray.errors import StorageError
from vss_ray.index.rows import Rows
from vss_ray.index.schema import TRACK_RECORD, TRACKS
from vss_ray.index.tables import TRACKS_PATH, connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.commit import committed, read_record
from vss_ray.storage.location import Location

OBJECTS, THINGS = "objects", "things"
"""Folders of OUT: objects that somebody pointed at, and those that were found without."""
ROWS = 100_000
"""Of a group."""
TOLD = """\
SELECT video_id, track, any_value(class_name) AS class_name, count(*) AS frames,
    count(*) FILTER (area > 0) AS seen, count(*) FILTER (state = 'occluded') AS occluded,
    count(*) FILTER (state = 'lost') AS lost,
    min(pts_seconds) FILTER (area > 0) AS first, max(pts_seconds) FILTER (area > 0) AS last
FROM tracks GROUP BY video_id, track ORDER BY video_id, track
"""


def compact_tracks(location: Location) -> int:
    """Write the table; how many rows it has.

    Raises:
        StorageError: A record cannot be read, or the table cannot be written.
    """
    stores = [Location.open(location.url(name)) for name in (OBJECTS, THINGS)]
    keys = sorted({(*key, place) for place, store in enumerate(stores) for key in committed(store)})
    with TemporaryDirectory(prefix="vss-tables-") as folder:
        file = Path(folder) / "tracks.parquet"
        with ExitStack() as stack:
            rows = stack.enter_context(Rows(file, TRACKS, ROWS))
            for video_id, clip_id, place in keys:
                rows.add(_positions(stores[place], video_id, clip_id))
        location.write_files({TRACKS_PATH: file})
    return rows.num_rows


def told(location: Location, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """What there is of every track: frames by state, and when it is seen first and last.

    Raises:
        StorageError: See ``tables.connect``.
    """
    with connect(location, taxonomy) as connection:
        result = connection.execute(TOLD)
        names = [each[0] for each in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _positions(store: Location, video_id: str, clip_id: str) -> pa.Table:
    """The rows of a record, one an object and frame."""
    frames = read_record(store, video_id, clip_id)[1]
    try:
        frames = frames.select(TRACK_RECORD.names).cast(TRACK_RECORD).combine_chunks()
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise StorageError(
            f"{store.root}: the record of {video_id}/{clip_id} is none of `vss track` ({error}); "
            "delete it and run again"
        ) from error
    lists = frames["tracks"].combine_chunks()
    of_frame = frames.drop_columns(["tracks"]).take(lists.value_parent_indices())
    positions = pa.Table.from_struct_array(lists.flatten())
    for name in positions.column_names:
        of_frame = of_frame.append_column(name, positions[name])
    return of_frame
