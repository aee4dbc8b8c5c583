"""Parquet that was written to harm: plans, records, failures, tables. One sentence each, in little memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vss_ray.errors import StorageError
from vss_ray.index.build import compact
from vss_ray.index.tables import PATHS, connect
from vss_ray.run import FAILED, MANIFEST, Run
from vss_ray.storage.commit import CLIP_KEY, committed, read_mask, read_record
from vss_ray.storage.parquet import bytes_of, table_of

BOMB = """
import io
import pyarrow as pa, pyarrow.parquet as pq
from vss_ray.storage.parquet import table_of
def refused(table, most=900_000):
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False, write_statistics=False)
    assert sink.tell() < most, sink.tell()
    try:
        table_of(sink.getvalue())
    except ValueError as error:
        print(error)
long = pa.DictionaryArray.from_arrays(pa.array([0] * 60_000, pa.int32()), pa.array(["x" * 2**24]))
refused(pa.table({"long": long}))
refused(pa.table({"none": pa.nulls(60_000_000, pa.bool_())}))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_a_kilobyte_that_stands_for_a_terabyte_takes_no_memory() -> None:
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, text=True, check=True)
    text, rows, peak = done.stdout.splitlines()
    assert "takes more than 8,589,934,592 bytes" in text
    assert "claims 60,000,000 rows, the limit is 50,000,000" in rows
    assert int(peak) < 500_000, "kB"


WRONG_PLANS: dict[str, tuple[dict[str, Any], str]] = {
    "folder": ({"video_id": "../../etc"}, "video_id is none"),
    "hidden": ({"video_id": ".ssh"}, "video_id is none"),
    "nul": ({"video_id": "a\0b"}, "video_id is none"),
    "newline": ({"video_id": "a\n"}, "video_id is none"),
    "other clip": ({"clip_id": "000000000-000000009"}, "clip_id is not that of its frames"),
    "clip folder": ({"clip_id": "../x"}, "clip_id is not that of its frames"),
    "backwards": ({"start": 5, "stop": 5}, "hold no frame"),
    "negative": ({"start": -3}, "hold no frame"),
    "no size": ({"width": 0}, "width is less than 1"),
    "endless": ({"stop_seconds": float("inf")}, "no numbers"),
    "no time": ({"start_seconds": float("nan")}, "no numbers"),
    "ends first": ({"stop_seconds": -1.0}, "ends before it begins"),
    "tilted": ({"rotation": 45}, "no quarter turn"),
    "outside": ({"coarse_frames": [10**9]}, "lie outside"),
    "nothing inside": ({"coarse_frames": [None]}, "lie outside"),
    "nothing": ({"source": None}, "source is missing"),
    "no path": ({"source": "a\0b"}, "is no path"),
    "key": ({"source": "https://me:secret@host/x.mp4"}, "carries a password"),
}


@pytest.mark.parametrize("kind", WRONG_PLANS)
def test_a_plan_that_no_planning_made(kind: str, finished: Run, refusal) -> None:
    changes, reason = WRONG_PLANS[kind]
    plan = finished.manifest()
    rows = plan.to_pylist()
    rows[-1] |= changes
    finished.location.write(MANIFEST, bytes_of(pa.Table.from_pylist(rows, plan.schema)))
    said = refusal(StorageError, finished.manifest)
    assert reason in said
    assert "manifest.parquet is not what a run wrote" in said
    assert "secret" not in said


def test_a_plan_that_says_a_thing_twice_or_in_other_columns(finished: Run, refusal) -> None:
    plan = finished.manifest()
    for changed, reason in (
        (pa.concat_tables([plan, plan.slice(0, 1)]), "a clip stands twice"),
        (plan.drop_columns(["rotation"]), "it has no column rotation"),
        (plan.set_column(0, "video_id", pa.array([1] * len(plan))), "column video_id: got int64, wanted string"),
        (pa.Table.from_arrays([*plan.columns, plan["start"]], [*plan.column_names, "start"]), "the same name"),
    ):
        finished.location.write(MANIFEST, bytes_of(changed))
        assert reason in refusal(StorageError, finished.manifest_rows)
    finished.location.write(MANIFEST, bytes_of(plan.append_column("more", pa.array(["x"] * len(plan)))))
    assert finished.manifest().equals(plan)
    finished.location.write(FAILED, bytes_of(plan))
    assert "failed.parquet is not what a run wrote" in refusal(StorageError, finished.failures)


def rewrite(run: Run, key: tuple[str, str], row: dict[str, Any], frames: pa.Table) -> None:
    """Another record in the place of one."""
    content = bytes_of(frames.replace_schema_metadata({CLIP_KEY: json.dumps(row)}))
    run.location.write(f"commits/{key[0]}/{key[1]}.parquet", content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mask_path": "../../etc/passwd"}, "mask_path is '../../etc/passwd', its place says 'masks/"),
        ({"mask_path": "run.json"}, "its place says"),
        ({"video_id": "another"}, "video_id is 'another'"),
        ({"clip_id": "another"}, "clip_id is 'another'"),
        ({"pass": "coarse"}, "pass is 'coarse'"),
        ({"mask_sha256": "0" * 63}, "no SHA-256"),
        ({"mask_bytes": -1}, "mask_bytes is -1"),
        ({"width": 1e300}, "width is 1e\\+300"),
        ({"height": True}, "height is True"),
        ({"prepare_seconds": float("inf")}, "no finite number"),
        ({"start": 1}, "are not those from 1"),
        ({"start": "0"}, "not supported between"),
        ({"stop": 3}, "are not those from 0 to 3"),
    ],
)
def test_a_record_that_was_not_committed_there(changes: dict[str, Any], reason: str, finished: Run) -> None:
    key = min(committed(finished.location))
    row, frames = read_record(finished.location, *key)
    rewrite(finished, key, row | changes, frames)
    for call in (lambda: read_record(finished.location, *key), lambda: compact(finished.location)):
        with pytest.raises(StorageError, match=f"no commit record .*{reason}.* delete it and run again"):
            call()


def test_rows_of_frames_that_make_no_sense(finished: Run) -> None:
    key = min(committed(finished.location))
    row, frames = read_record(finished.location, *key)
    number, count = frames.column_names.index("frame"), len(frames)
    for changed, reason in (
        (frames.set_column(number, "frame", pa.array([0] * count)), "do not ascend"),
        (frames.set_column(number, "frame", pa.array(range(-1, count - 1))), "do not ascend"),
        (frames.set_column(number, "frame", pa.array([str(n) for n in range(count)])), "got string"),
        (frames.set_column(0, "video_id", pa.array(["x"] * count)), "does not say"),
        (frames.drop_columns(["frame"]), "frame"),
    ):
        rewrite(finished, key, row, changed)
        with pytest.raises(StorageError, match=f"no commit record .*{reason}"):
            read_record(finished.location, *key)
    rewrite(finished, key, row, frames.drop_columns(["area"]))
    with pytest.raises(StorageError, match="other columns than this version writes"):
        compact(finished.location)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_file_is_one_sentence(finished: Run, data: st.DataObject) -> None:
    key = min(committed(finished.location))
    path = data.draw(st.sampled_from([MANIFEST, f"commits/{key[0]}/{key[1]}.parquet"]))
    good = finished.location.read(path)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place : place + 4] = data.draw(st.binary(max_size=8))
    finished.location.write(path, bytes(bad))
    said = ""
    try:
        finished.manifest_rows()
        read_mask(finished.location, read_record(finished.location, *key)[0])
    except StorageError as error:
        said = str(error)
    finally:
        finished.location.write(path, good)
    assert "\n" not in said


def test_tables_with_other_columns_are_refused_before_they_are_asked(finished: Run, refusal) -> None:
    def ask() -> None:
        with connect(finished.location, finished.taxonomy) as connection:
            connection.sql("FROM frames").fetchall()

    ask()
    for name, path in PATHS.items():
        good = finished.location.read(path)
        table = pq.read_table(io.BytesIO(good))
        changed = table.set_column(0, "video_id", pa.array(range(len(table))))
        told = pq.read_metadata(io.BytesIO(good)).metadata
        changed = changed.replace_schema_metadata({key: told[key] for key in told if key != b"ARROW:schema"})
        finished.location.write(path, bytes_of(changed))
        assert "column video_id" in refusal(StorageError, ask), name
        finished.location.write(path, good)


def test_nothing_is_unpickled(refusal) -> None:
    class Own(pa.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pa.int64(), "vss.test.own")

        def __arrow_ext_serialize__(self) -> bytes:
            return b"cos\nsystem\n(S'exit 1'\ntR."

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> Own:
            return cls()

    pa.register_extension_type(Own())
    try:
        content = bytes_of(pa.table({"a": pa.ExtensionArray.from_storage(Own(), pa.array([1]))}))
        assert "column a" in refusal(ValueError, table_of, content)
    finally:
        pa.unregister_extension_type("vss.test.own")
    assert table_of(content).schema.types == [pa.int64()]
