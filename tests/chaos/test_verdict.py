"""What chaos must notice, it notices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from tests.chaos.verdict import Reference, judge
from vss_ray.failures import FAILURES
from vss_ray.index.build import compact
from vss_ray.index.schema import CLIPS, record_schema
from vss_ray.index.tables import PATHS
from vss_ray.run import FAILED, MANIFEST, RUN
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import bytes_of, table_of

FIRST, SECOND = ("street", "0-5"), ("street", "5-10")


def write_clip(location: Location, key: tuple[str, str], mask: bytes = b"mask", distance: int = 0) -> None:
    video, clip = key
    start, stop = map(int, clip.split("-"))
    frames = np.arange(start, stop)
    zeros = {field.name: _zeros(field.type, len(frames)) for field in record_schema(2)}
    columns = {"video_id": [video] * 5, "clip_id": [clip] * 5, "frame": frames, "pts_seconds": frames / 10}
    columns |= {"key_distance": [distance] * 5, "pass": ["full"] * 5, "embedding": [None] * 5}
    numbers = [field for field in CLIPS if not (field.nullable or pa.types.is_list(field.type))]
    row = {field.name: pa.scalar(0).cast(field.type).as_py() for field in numbers}
    row |= {
        "pass": "full",
        "source": "street.mp4",
        "video_id": video,
        "clip_id": clip,
        "start": start,
        "stop": stop,
        "start_seconds": start / 10,
    }
    commit(location, video, clip, mask, pa.table(zeros | columns, record_schema(2)), row)


def _zeros(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(count * kind.list_size), kind.value_type), type=kind)
    return pa.array([0] * count).cast(pa.float32()).cast(kind) if not pa.types.is_list(kind) else pa.nulls(count, kind)


def write_keys(location: Location, path: str, keys: list[tuple[str, str]]) -> None:
    rows = [{"video_id": video, "clip_id": clip} for video, clip in keys]
    location.write(path, bytes_of(pa.Table.from_pylist(rows, FAILURES)))


@pytest.fixture
def location(tmp_path) -> Location:
    """An OUT of two clips."""
    location = Location.open(tmp_path / "out")
    location.write(RUN, b"{}")
    write_keys(location, MANIFEST, [FIRST, SECOND])
    write_keys(location, FAILED, [])
    for key in (FIRST, SECOND):
        write_clip(location, key)
    compact(location)
    return location


def change(location: Location, table: str, with_rows: Callable[[pa.Table], pa.Table]) -> None:
    path = PATHS[table]
    location.write(path, bytes_of(with_rows(table_of(location.read(path)))))


def twice(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, rows.slice(0, 1)])


def test_what_nobody_disturbed_is_clean(location):
    verdict = judge(location, Reference.of(location))
    assert verdict.is_clean
    assert verdict.done == {FIRST, SECOND}


DAMAGE = {
    "no record": (lambda at: at.delete("commits/street/0-5.parquet"), "lost"),
    "no row": (lambda at: change(at, "clips", lambda rows: rows.slice(1)), "lost"),
    "failed": (lambda at: write_keys(at, FAILED, [FIRST]), "lost"),
    "two rows": (lambda at: change(at, "clips", twice), "doubled"),
    "a frame twice": (lambda at: change(at, "frames", twice), "doubled"),
    "another mask": (lambda at: at.write("masks/street/0-5.mkv", b"other"), "differing"),
    "no mask": (lambda at: at.delete("masks/street/0-5.mkv"), "differing"),
    "another mask, well committed": (lambda at: write_clip(at, FIRST, b"other"), "differing"),
    "other rows": (lambda at: (write_clip(at, FIRST, distance=3), compact(at)), "differing"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_by_its_kind_and_costs_one_clip(location, name):
    damage, kind = DAMAGE[name]
    reference = Reference.of(location)
    damage(location)
    verdict = judge(location, reference)
    assert getattr(verdict, kind) == {FIRST}
    assert not verdict.is_clean
    assert verdict.done == {SECOND}


def test_a_clip_that_nobody_planned_is_one_too_many(location):
    reference = Reference.of(location)
    write_clip(location, ("street", "10-15"))
    assert judge(location, reference).doubled == {("street", "10-15")}


def test_a_file_of_nobody_is_a_stray(location):
    reference = Reference.of(location)
    location.write("masks/street/half.mkv", b"ma")
    assert judge(location, reference).strays == ["masks/street/half.mkv"]


def test_a_poisoned_clip_must_have_failed_and_be_nowhere_else(location):
    reference = Reference.of(location)
    assert judge(location, reference, [FIRST]).lost == {FIRST}
    location.delete("commits/street/0-5.parquet")
    write_keys(location, FAILED, [FIRST])
    compact(location)
    verdict = judge(location, reference, [FIRST])
    assert verdict.is_clean
    assert verdict.done == {SECOND}
