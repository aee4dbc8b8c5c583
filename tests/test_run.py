"""OUT as one run: begun, gone on with, refused, opened."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.errors import RunMismatchError, StorageError
from vss_ray.failures import Failure
from vss_ray.labels import taxonomy
from vss_ray.run import FAILED, MANIFEST, RUN, Run
from vss_ray.segmenters import builtin
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import bytes_of

CLIP = Clip(
    video_id="a-1234",
    source="/archive/a.mp4",
    size_bytes=10,
    width=320,
    height=240,
    rotation=90,
    start=0,
    stop=250,
    start_seconds=0.0,
    stop_seconds=10.0,
    first_pts=0,
    last_pts=249 * 512,
    origin_pts=0,
    seek_pts=None,
    num_packets=250,
    coarse_frames=(0, 125),
    coarse_pts=(0, 125 * 512),
)


def point(*overrides: str) -> OperatingPoint:
    return config.load("evs", ["segmenter.weights=random:mobilenet_v2", *overrides]).resolved(has_cuda=False)


@pytest.fixture
def out(tmp_path: Path) -> Location:
    return Location.open(tmp_path / "out")


@pytest.fixture
def run(out: Location) -> Run:
    return Run.start(out, point(), "/archive")


def test_a_run_says_what_it_is(out, run):
    content = json.loads(out.read(RUN))
    assert content == run.content()
    assert content["fingerprint"] == run.fingerprint == point().fingerprint(content["weights_sha256"])
    assert content["source"] == "/archive"
    assert content["operating_point"] == point().to_dict()
    assert content["taxonomy"] == taxonomy.load("camvid").to_dict()
    assert content["output_schema"] == config.OUTPUT_SCHEMA
    assert re.fullmatch("[0-9a-f]{64}", content["weights_sha256"])
    assert {"python", "ray", "torch", "av", "numpy", "pyarrow"} <= set(content["versions"])


def test_the_same_again_goes_on(out, run):
    before = out.read(RUN)
    assert Run.start(out, point(), "/archive") == run
    assert out.read(RUN) == before


def test_a_run_can_be_opened_without_being_told_what_it_is(out, run):
    assert Run.open(out) == run
    assert Run.open(out).point.keyframes.config.every == run.point.keyframes.config.every


def test_another_operating_point_is_refused_with_both_named(out, run):
    other = point("keyframes.every=7", "method.direction=forward", "audit=0.5")
    with pytest.raises(RunMismatchError) as caught:
        Run.start(out, other, "/archive")
    message = str(caught.value)
    assert f"{out.root} holds run {run.fingerprint}" in message
    assert re.search("this would be (?!%s)[0-9a-f]{16}" % run.fingerprint, message)  # noqa: UP031
    assert "keyframes.every was 10, is 7" in message
    assert "method.direction was 'both', is 'forward'" in message
    assert "audit was 0.0, is 0.5" in message
    assert "give another OUT" in message
    assert Run.open(out) == run


def test_a_part_that_one_of_both_does_not_have_is_named(out, run):
    with pytest.raises(RunMismatchError, match=r"keyframes\.name was 'fixed', is 'aks'.*keyframes\.threshold was None"):
        Run.start(out, point("keyframes={name: aks}"), "/archive")


def test_other_weights_are_refused(out, run):
    with pytest.raises(RunMismatchError, match=r"weights was '[0-9a-f]{12}', is '[0-9a-f]{12}'"):
        Run.start(out, point("segmenter.weights=random:resnet"), "/archive")


def test_another_output_schema_is_refused(out, run, monkeypatch):
    monkeypatch.setattr(config, "OUTPUT_SCHEMA", config.OUTPUT_SCHEMA + 1)
    with pytest.raises(RunMismatchError, match="another output schema"):
        Run.start(out, point(), "/archive")


def test_another_source_is_refused_with_both_named(out, run):
    with pytest.raises(RunMismatchError, match=r"holds a run over /archive, got /other; give another OUT"):
        Run.start(out, point(), "/other")


@pytest.mark.parametrize(("first", "then"), [("coarse", "full"), ("full", "coarse")])
def test_both_passes_go_on_in_one_folder_which_says_what_was_asked_last(out, first, then):
    begun = Run.start(out, point(f"pass={first}"), "/archive")
    assert Run.start(out, point(f"pass={first}"), "/archive") == begun == Run.open(out)
    before = begun.content()
    following = Run.start(out, point(f"pass={then}"), "/archive")
    assert following.fingerprint == begun.fingerprint
    assert (before["operating_point"]["pass"], following.content()["operating_point"]["pass"]) == (first, then)
    assert following.content() == {**before, "operating_point": following.point.to_dict()}
    assert Run.open(out) == following


def test_another_point_is_refused_whichever_pass(out):
    Run.start(out, point("pass=coarse"), "/archive")
    with pytest.raises(RunMismatchError) as caught:
        Run.start(out, point("keyframes.every=7"), "/archive")
    assert "keyframes.every was 10, is 7" in str(caught.value)
    assert "pass was" not in str(caught.value)


def test_a_coarse_run_can_be_gone_through_in_full_without_changing_it(out):
    coarse = Run.start(out, point("pass=coarse"), "/archive")
    before = out.read(RUN)
    full = coarse.in_full()
    assert (full.point, full.fingerprint) == (point(), coarse.fingerprint)
    assert full.in_full() == full
    assert out.read(RUN) == before


def test_other_weights_than_the_coarse_pass_had_are_refused(out, tmp_path):
    weights = tmp_path / "net.safetensors"
    weights.write_bytes(next(builtin.WEIGHTS.glob("swiftnet_mobilenet*")).read_bytes())
    coarse = Run.start(out, point("pass=coarse", f"segmenter.weights={weights}"), "/archive")
    coarse.in_full()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(RunMismatchError, match=r"weights was '[0-9a-f]{12}', is '[0-9a-f]{12}'"):
        coarse.in_full()


def test_a_folder_that_is_no_run(out, tmp_path):
    message = r"holds no run: it has no run\.json; start one with `vss segment SOURCE OUT`"
    with pytest.raises(StorageError, match=message):
        Run.open(out)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=message):
        Run.open(out)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(StorageError, match="file"):
        Run.start(Location.open(tmp_path / "file" / "out"), point(), "/archive")


def test_the_manifest_comes_back(run):
    clips = [CLIP, replace(CLIP, start=250, stop=300, first_pts=None, last_pts=None, seek_pts=250 * 512, coarse_pts=())]
    clips[1] = replace(clips[1], coarse_frames=(250,))
    run.write_manifest(clips)
    rows = run.manifest_rows()
    assert [Clip.from_row(row) for row in rows] == clips
    assert [row["clip_id"] for row in rows] == [clip.clip_id for clip in clips]
    assert run.manifest().column_names[:3] == ["video_id", "clip_id", "source"]
    assert run.location.exists(MANIFEST)


def test_a_manifest_of_nothing_keeps_its_columns(run):
    run.write_manifest([])
    assert run.manifest_rows() == []
    assert run.manifest().schema.field("start").type == pa.int64()


def test_failures_come_back_and_are_replaced(run):
    assert run.failures() == []
    failures = [
        Failure(video_id="a", clip_id="0-9", source="a.mp4", stage="prepare", error="VideoError", message="cut short"),
        Failure(video_id="b", clip_id=None, source="b.mp4", stage="probe", error="VideoError", message="ü", attempts=3),
    ]
    run.write_failures(failures)
    assert run.failures() == failures
    run.write_failures([])
    assert run.failures() == []
    assert run.location.exists(FAILED)


def test_the_summary_stands_beside_what_was_there(out, run):
    before = run.content()
    run.write_summary({"frames": 250, "audit": {}})
    run.write_summary({"frames": 500})
    assert run.content() == {**before, "summary": {"frames": 500}}
    assert Run.start(out, point(), "/archive") == run


def test_parquet_of_a_table():
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    assert pq.read_table(io.BytesIO(bytes_of(table))).equals(table)
