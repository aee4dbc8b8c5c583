"""The commit protocol: done or not done, never half, wherever it is killed."""

from __future__ import annotations

import hashlib
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray.errors import StorageError
from vss_ray.storage.commit import commit, committed, read_mask, read_record
from vss_ray.storage.location import Location, MissingError

MASK = b"label video" * 100
ROW = {"video_id": "v-1", "clip_id": "000-010", "width": 640, "embedding": [0.25, -1.5], "name": "Größe", "audit": None}
FRAMES = pa.table(
    {
        "frame": pa.array(range(10), pa.int64()),
        "is_keyframe": pa.array([True, *[False] * 9]),
        "area": pa.FixedSizeListArray.from_arrays(pa.array([0.5] * 20, pa.float32()), 2),
    }
)


class Killed(BaseException):
    """What a worker dies of."""


class Mortal:
    """A location whose process dies at its n-th write, before or after the bytes are there."""

    def __init__(self, location: Location, writes: int, after: bool) -> None:
        self.location, self.left, self.after = location, writes, after

    def write(self, path: str, data: bytes) -> None:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        self.location.write(path, data)
        if self.left < 0:
            raise Killed


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def location(request, tmp_path) -> Location:
    if request.param == "disk":
        return Location.open(tmp_path / "out")
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("s3").url
    return Location.open(f"{root}/{uuid.uuid4().hex}")


def files(location: Location) -> dict[str, bytes]:
    return {path: location.read(path) for path in location.list()}


def test_commit_is_read_back(location):
    assert committed(location) == set()
    row = commit(location, "v-1", "000-010", MASK, FRAMES, ROW)
    digest = hashlib.sha256(MASK).hexdigest()
    assert row == {**ROW, "mask_path": "masks/v-1/000-010.mkv", "mask_bytes": len(MASK), "mask_sha256": digest}
    assert committed(location) == {("v-1", "000-010")}
    stored, frames = read_record(location, "v-1", "000-010")
    assert stored == row
    assert frames.equals(FRAMES)
    assert read_mask(location, stored) == MASK
    assert location.list() == ["commits/v-1/000-010.parquet", "masks/v-1/000-010.mkv"]


@pytest.mark.parametrize(("writes", "after"), [(0, False), (0, True), (1, False)])
def test_killed_before_the_record_is_not_done(location, tmp_path, writes, after):
    with pytest.raises(Killed):
        commit(Mortal(location, writes, after), "v-1", "000-010", MASK, FRAMES, ROW)  # type: ignore[arg-type]
    assert committed(location) == set()
    with pytest.raises(MissingError):
        read_record(location, "v-1", "000-010")
    commit(location, "v-1", "000-010", MASK, FRAMES, ROW)
    undisturbed = Location.open(tmp_path / "undisturbed")
    commit(undisturbed, "v-1", "000-010", MASK, FRAMES, ROW)
    assert files(location) == files(undisturbed)


def test_killed_after_the_record_is_done(location):
    with pytest.raises(Killed):
        commit(Mortal(location, 1, True), "v-1", "000-010", MASK, FRAMES, ROW)  # type: ignore[arg-type]
    assert committed(location) == {("v-1", "000-010")}
    stored, _ = read_record(location, "v-1", "000-010")
    assert read_mask(location, stored) == MASK


def test_same_input_same_bytes_whatever_the_order_of_keys(location):
    commit(location, "v-1", "000-010", MASK, FRAMES, ROW)
    first = files(location)
    shuffled = dict(reversed(ROW.items()))
    commit(location, "v-1", "000-010", MASK, FRAMES.replace_schema_metadata({"pandas": "{}"}), shuffled)
    assert files(location) == first


def test_listing_takes_records_only(location):
    commit(location, "v-1", "000-010", MASK, FRAMES, ROW)
    commit(location, "v-2", "000-010", MASK, FRAMES, ROW)
    for path in ("commits/readme.txt", "commits/v-3/.000.parquet.0a.partial", "masks/v-4/000.mkv", "commits/x.parquet"):
        location.write(path, b"")
    assert committed(location) == {("v-1", "000-010"), ("v-2", "000-010")}


def test_malformed_record_is_named(tmp_path):
    location = Location.open(tmp_path)
    commit(location, "v", "c", MASK, FRAMES, ROW)
    record = location.read("commits/v/c.parquet")
    sink = pa.BufferOutputStream()
    pq.write_table(FRAMES, sink)
    for content in (b"", b"PAR1", record[:-20], record[: len(record) // 2], sink.getvalue().to_pybytes()):
        location.write("commits/v/c.parquet", content)
        with pytest.raises(StorageError, match=r"commits/v/c\.parquet is no commit record .* delete it and run again"):
            read_record(location, "v", "c")


def test_changed_mask_is_named(tmp_path):
    location = Location.open(tmp_path)
    row = commit(location, "v", "c", MASK, FRAMES, ROW)
    location.write("masks/v/c.mkv", MASK[:-1])
    with pytest.raises(StorageError, match=r"masks/v/c\.mkv is not the mask that was committed"):
        read_mask(location, row)


def test_refuses_names_with_folders_and_values_without_json(tmp_path):
    location = Location.open(tmp_path)
    for video_id, clip_id in (("a/b", "c"), ("a", "b/c"), ("..", "c")):
        with pytest.raises(ValueError, match=r"component|no relative path"):
            commit(location, video_id, clip_id, MASK, FRAMES, ROW)
    with pytest.raises(ValueError, match="JSON"):
        commit(location, "v", "c", MASK, FRAMES, {"loss": float("nan")})
    assert location.list() == []
