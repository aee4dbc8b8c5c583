"""Tables hold what the commit records of the manifest hold, in order, and can be made again at any time."""

from __future__ import annotations

import errno
import io
import random
import threading
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray.errors import StorageError
from vss_ray.index import build, tables
from vss_ray.index.build import Counts, compact
from vss_ray.index.ranges import RangedFiles
from vss_ray.index.schema import CLIPS, SCHEMA_VERSION, frames_schema, keyframes_schema, record_schema, stored_schema
from vss_ray.index.search import search
from vss_ray.index.tables import PATHS, connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.commit import commit, read_record
from vss_ray.storage.location import Location

CLASSES = Taxonomy("three", ("car", "sky", "tree"), ((0, 0, 0),) * 3, ((),) * 3)


@pytest.fixture(params=["disk", "memory"])
def location(request, tmp_path) -> Location:
    return Location.open(tmp_path / "out" if request.param == "disk" else f"memory://{uuid.uuid4().hex}/out")


def commit_clip(location, video_id, start, stop, embedding=None):
    """A clip of 10 frames a second, half car, half sky, the car a little more from frame to frame; every fifth frame is
    a keyframe, the first one has ``embedding``.
    """
    clip_id = f"{start:09d}-{stop:09d}"
    numbers = np.arange(start, stop)
    area = np.tile(np.array([0.5, 0.5, 0], np.float32), (stop - start, 1))
    area[:, 0] += numbers / 2**10 % 0.25
    grid = np.tile(np.arange(27, dtype=np.uint8), (stop - start, 1))
    objects = np.tile(np.array([2, 1, 0], np.uint16), (stop - start, 1))
    objects[-1, 0] = 3
    columns = {
        "video_id": [video_id] * len(numbers),
        "clip_id": [clip_id] * len(numbers),
        "frame": numbers,
        "pts_seconds": numbers / 10,
        "is_keyframe": numbers % 5 == 0,
        "key_distance": (numbers % 5).astype(np.int32),
        "unreliable": np.zeros(len(numbers), np.float32),
        "agreement": [None] * len(numbers),
        "self_agreement": [None] * len(numbers),
        "pass": ["full"] * len(numbers),
        "area": pa.FixedSizeListArray.from_arrays(pa.array(area.ravel()), 3),
        "grid": pa.FixedSizeListArray.from_arrays(pa.array(grid.ravel()), 27),
        "objects": pa.FixedSizeListArray.from_arrays(pa.array(objects.ravel()), 3),
        "embedding": [embedding] + [None] * (len(numbers) - 1),
    }
    row = {field.name: 0 for field in CLIPS if not field.nullable} | {"pass": "full", "interlaced": False}
    row |= {"video_id": video_id, "clip_id": clip_id, "source": f"/in/{video_id}.mp4", "start": start, "stop": stop}
    row |= {"start_seconds": start / 10, "stop_seconds": stop / 10, "of_another_version": 1}
    commit(location, video_id, clip_id, b"mask", pa.table(columns, record_schema(3)), row)
    return video_id, clip_id


def read(location, name):
    return pq.ParquetFile(io.BytesIO(location.read(PATHS[name])))


def test_tables_are_the_records_in_order(location):
    keys = [(video, start) for video in ("b", "a", "c-1") for start in (0, 100, 10_000_000)]
    random.Random(0).shuffle(keys)
    for video, start in keys:
        commit_clip(location, video, start, start + 30, embedding=[0.6, -0.8] if video == "a" else None)
    assert compact(location) == Counts(num_videos=3, num_clips=9, num_frames=270, num_keyframes=3)
    clips, frames, keyframes = (read(location, name) for name in ("clips", "frames", "keyframes"))
    assert clips.schema_arrow.equals(CLIPS)
    assert frames.schema_arrow.equals(stored_schema(3))
    assert keyframes.schema_arrow.equals(keyframes_schema(2))
    assert frames.schema_arrow.field("pts_seconds").metadata[b"unit"] == b"s"
    assert frames.schema_arrow.metadata[b"vss.schema_version"] == str(SCHEMA_VERSION).encode()
    rows = clips.read().to_pylist()
    assert [(row["video_id"], row["start"]) for row in rows] == sorted(keys)
    assert rows[0]["embedding"] == pytest.approx([0.6, -0.8], abs=1e-3)
    first, late = np.arange(30) / 2**10 + 0.5, np.arange(100, 130) / 2**10 + 0.5
    assert (rows[0]["least"], rows[0]["peak"]) == ([first[0], 0.5, 0], [first[-1], 0.5, 0])
    assert (rows[1]["least"], rows[1]["peak"]) == ([late[0], 0.5, 0], [late[-1], 0.5, 0])
    assert rows[0]["most_objects"] == [3, 1, 0]
    assert rows[-1]["embedding"] is None
    assert rows[0]["mask_path"] == f"masks/a/{rows[0]['clip_id']}.mkv"
    order = [(row["video_id"], row["frame"]) for row in frames.read(["video_id", "frame"]).to_pylist()]
    assert order == sorted(order)
    assert frames.metadata.row_group(0).column(0).compression == "ZSTD"
    assert frames.metadata.row_group(0).column(0).statistics.has_min_max
    hits = search(location, "car > 10% for 3s", CLASSES)
    assert len(hits) == 9
    assert (hits[0].source, hits[0].start, hits[0].end) == ("/in/a.mp4", 0.0, 3.0)


def test_only_clips_of_the_manifest_count(location):
    kept = commit_clip(location, "v", 0, 10)
    commit_clip(location, "v", 5, 25)
    assert compact(location, [kept, ("v", "not-yet")]) == Counts(
        num_videos=1, num_clips=1, num_frames=10, num_keyframes=0
    )
    assert read(location, "frames").read()["frame"].to_pylist() == list(range(10))


def test_same_records_same_bytes_whatever_was_there(location):
    commit_clip(location, "v", 0, 10)
    compact(location)
    first = {name: location.read(path) for name, path in PATHS.items()}
    late = commit_clip(location, "v", 10, 20)
    compact(location)
    assert location.read(PATHS["frames"]) != first["frames"]
    compact(location, {("v", "000000000-000000010")})
    assert {name: location.read(path) for name, path in PATHS.items()} == first
    assert compact(location, [late]).num_frames == 10
    for path in PATHS.values():
        location.write(path, b"half a file")
    assert compact(location).num_frames == 20


def test_tables_of_different_records_are_refused(location, monkeypatch):
    """As a kill between two of the three leaves them, until they are made anew."""
    monkeypatch.setattr(tables, "REPLACED_SECONDS", 0.1)
    commit_clip(location, "v", 0, 10)
    compact(location)
    before = location.read(PATHS["frames"])
    commit_clip(location, "v", 10, 20)
    compact(location)
    location.write(PATHS["frames"], before)
    with pytest.raises(StorageError, match=r"are being replaced, or that was cut off; ask again, or run `vss status"):
        search(location, "car", CLASSES)
    compact(location)
    assert len(search(location, "car", CLASSES)) == 1


def test_who_asks_while_tables_are_replaced_gets_the_new_ones(location):
    commit_clip(location, "v", 0, 10)
    compact(location)
    before = location.read(PATHS["frames"])
    commit_clip(location, "v", 10, 20)
    compact(location)
    new = location.read(PATHS["frames"])
    location.write(PATHS["frames"], before)
    replacing = threading.Timer(0.3, location.write, (PATHS["frames"], new))
    replacing.start()
    assert [hit.frames for hit in search(location, "car", CLASSES)] == [20]
    replacing.join()


@pytest.mark.parametrize("at", range(4))
def test_a_table_that_is_replaced_while_it_is_read_is_read_anew(location, monkeypatch, at):
    """As s3fs tells it: the object that was opened is no more."""
    commit_clip(location, "v", 0, 10)
    compact(location)
    calls, real = [], RangedFiles.fetch

    def fetch(self, name, start, stop):
        calls.append(name)
        if len(calls) == at + 1:
            self.failure = OSError(errno.EBUSY, "Etag no longer exists")
            raise self.failure
        return real(self, name, start, stop)

    monkeypatch.setattr(RangedFiles, "fetch", fetch)
    assert [hit.frames for hit in search(location, "car", CLASSES)] == [10]
    assert len(calls) > at


def test_a_run_without_clips_has_empty_tables(location):
    assert compact(location) == Counts(num_videos=0, num_clips=0, num_frames=0, num_keyframes=0)
    assert read(location, "clips").metadata.num_rows == 0
    assert search(location, "car or not sky", CLASSES) == []


def test_row_groups_are_full_whatever_the_clips(location, monkeypatch):
    monkeypatch.setitem(build.ROW_GROUPS, "frames", 25)
    for start, stop in ((0, 7), (7, 70), (70, 95), (95, 96), (96, 110)):
        commit_clip(location, "v", start, stop)
    compact(location)
    frames = read(location, "frames")
    sizes = [frames.metadata.row_group(i).num_rows for i in range(frames.num_row_groups)]
    assert sizes == [25, 25, 25, 25, 10]
    table = frames.read()
    assert table["frame"].to_pylist() == list(range(110))
    np.testing.assert_array_equal(table["area_0"], 0.5 + np.arange(110) / 2**10)
    assert table["objects_0"].to_pylist().count(3) == 5
    assert all(set(table[f"grid_{cell}_{i}"].to_pylist()) == {cell * 3 + i} for cell in range(9) for i in range(3))


def test_a_record_that_is_none_stops_the_build_and_leaves_the_tables(location):
    commit_clip(location, "v", 0, 10)
    compact(location)
    before = location.read(PATHS["frames"])
    location.write("commits/v/000000010-000000020.parquet", b"half")
    with pytest.raises(StorageError, match="000000010-000000020"):
        compact(location)
    assert location.read(PATHS["frames"]) == before


def test_more_records_than_are_read_at_once(location):
    keys = [commit_clip(location, f"v{video:02d}", start, start + 2) for video in range(7) for start in range(0, 20, 2)]
    assert compact(location, keys) == Counts(num_videos=7, num_clips=70, num_frames=140, num_keyframes=0)
    assert len(search(location, "sky for 2s", CLASSES)) == 7


def test_the_view_of_frames_has_lists_again(location):
    commit_clip(location, "v", 0, 10, embedding=[0.6, -0.8])
    compact(location)
    with connect(location, CLASSES) as connection:
        frames = connection.sql("SELECT * FROM frames").to_arrow_table()
        assert [name for name in frames_schema(3).names if name not in frames.schema.names] == []
        assert frames["grid"].to_pylist() == [list(range(27))] * 10
        assert frames["area"].to_pylist()[2] == [0.5 + 2 / 2**10, 0.5, 0]
        assert frames["objects"].to_pylist()[-1] == [3, 1, 0]
        wide = connection.execute("SELECT area_0, objects_2, grid_8_2, place, lasts FROM wide LIMIT 2").fetchall()
        assert wide == [(0.5, 0, 26, 0, 0.1), (0.5 + 1 / 2**10, 0, 26, 1, 0.1)]
        keyframes = connection.execute("SELECT frame, pts_seconds, embedding FROM keyframes").fetchall()
        assert keyframes[0][:2] == (0, 0.0)
        assert list(keyframes[0][2]) == pytest.approx([0.6, -0.8], abs=1e-3)


def test_records_of_an_earlier_version_are_refused(location):
    commit_clip(location, "v", 0, 10)
    compact(location)
    before = location.read(PATHS["frames"])
    _, table = read_record(location, "v", "000000000-000000010")
    commit(location, "v", "000000000-000000010", b"", table.drop_columns(["grid", "objects", "embedding", "pass"]), {})
    with pytest.raises(StorageError, match=r"made by an earlier version, .*; run `vss segment` into a new OUT"):
        compact(location)
    assert location.read(PATHS["frames"]) == before
