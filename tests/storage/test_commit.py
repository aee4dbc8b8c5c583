"""The commit protocol: done or not done, never half, wherever it is killed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray.errors import StorageError
from vss_ray.storage.commit import commit, committed, drop_superseded, in_full, passes, read_mask, read_record
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
    """A location whose process dies at its n-th change, before or after it is made."""

    def __init__(self, location: Location, writes: int, after: bool) -> None:
        self.location, self.left, self.after = location, writes, after

    def write(self, path: str, data: bytes) -> None:
        self._change(partial(self.location.write, path, data))

    def delete(self, path: str) -> None:
        self._change(partial(self.location.delete, path))

    def walk(self, prefix: str) -> Iterator[str]:
        return self.location.walk(prefix)

    def _change(self, change: Callable[[], None]) -> None:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise Killed
        change()
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


COARSE_ROW = {**ROW, "pass": "coarse"}
COARSE_MASK, COARSE_FRAMES = b"coarse" * 50, FRAMES[:2]


def test_the_coarse_pass_has_files_of_its_own(location):
    row = commit(location, "v-1", "000-010", COARSE_MASK, COARSE_FRAMES, COARSE_ROW)
    assert row["mask_path"] == "masks/v-1/000-010.coarse.mkv"
    assert location.list() == ["commits/v-1/000-010.coarse.parquet", "masks/v-1/000-010.coarse.mkv"]
    assert committed(location) == {("v-1", "000-010")}
    assert passes(location) == {("v-1", "000-010"): "coarse"}
    stored, frames = read_record(location, "v-1", "000-010")
    assert (stored, frames) == (row, COARSE_FRAMES)
    assert read_mask(location, stored) == COARSE_MASK
    drop_superseded(location, in_full(location))
    assert len(location.list()) == 2


def test_the_full_pass_wins_and_the_coarse_one_can_go(location):
    commit(location, "v-1", "000-010", COARSE_MASK, COARSE_FRAMES, COARSE_ROW)
    commit(location, "v-2", "000-010", COARSE_MASK, COARSE_FRAMES, COARSE_ROW)
    commit(location, "v-1", "000-010", MASK, FRAMES, {**ROW, "pass": "full"})
    commit(location, "v-3", "000-010", MASK, FRAMES, ROW)
    best = {("v-1", "000-010"): "full", ("v-2", "000-010"): "coarse", ("v-3", "000-010"): "full"}
    assert passes(location) == best
    assert read_record(location, "v-1", "000-010")[1].equals(FRAMES)
    assert len(location.list()) == 8
    drop_superseded(location, in_full(location))
    assert passes(location) == best
    assert [path for path in location.list() if "v-2" not in path] == [
        f"{folder}/{video}/000-010.{suffix}"
        for folder, suffix in (("commits", "parquet"), ("masks", "mkv"))
        for video in ("v-1", "v-3")
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(4))
def test_killed_anywhere_between_the_passes_a_clip_is_never_without_record_or_mask(location, step, after):
    """Two writes of the full pass, then two deletions."""
    commit(location, "v-1", "000-010", COARSE_MASK, COARSE_FRAMES, COARSE_ROW)
    mortal = Mortal(location, step, after)
    with pytest.raises(Killed):
        replace_coarse(mortal)
    is_full = (step, after) > (1, False)
    assert passes(location) == {("v-1", "000-010"): "full" if is_full else "coarse"}
    stored, frames = read_record(location, "v-1", "000-010")
    assert frames.equals(FRAMES if is_full else COARSE_FRAMES)
    assert read_mask(location, stored) == (MASK if is_full else COARSE_MASK)
    replace_coarse(location)
    assert location.list() == ["commits/v-1/000-010.parquet", "masks/v-1/000-010.mkv"]


def replace_coarse(location) -> None:
    commit(location, "v-1", "000-010", MASK, FRAMES, ROW)
    drop_superseded(location, in_full(location))


def test_a_coarse_record_that_goes_while_it_is_looked_for(tmp_path):
    """Between the look at the full record and that at the coarse one, the full one comes and the coarse one goes."""

    class Changing(Location):
        def read(self, path: str) -> bytes:
            if path.endswith(".coarse.parquet"):
                commit(location, "v", "c", MASK, FRAMES, ROW)
                drop_superseded(location, in_full(location))
            return super().read(path)

    location = Location.open(tmp_path)
    commit(location, "v", "c", COARSE_MASK, COARSE_FRAMES, COARSE_ROW)
    assert read_record(Changing(location.root), "v", "c")[1].equals(FRAMES)


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
