"""Coarse first, then in full where a query says so: one OUT, one set of tables, the bytes of a full run."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.cluster.refine import refine, touched
from vss_ray.cluster.segment import segment
from vss_ray.datasets import scenes
from vss_ray.errors import QueryError, RunMismatchError, StorageError
from vss_ray.index.build import compact
from vss_ray.index.search import search
from vss_ray.masks import ffv1
from vss_ray.run import Run
from vss_ray.storage.commit import passes
from vss_ray.storage.location import Location

QUIET = Console(quiet=True)
POINT = ["clip_seconds=2", "keyframes.every=5", "segmenter.short_side=64"]
QUERY = 'sky > 0% in "a-*"'


def label(source, out, *overrides, limit=None):
    point = config.load("evs", [*POINT, *overrides])
    return segment(str(source), str(out), point, limit=limit, address=None, console=QUIET)


def masks(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "masks").rglob("*.mkv"))
    }


def rows(out: Path, name: str, columns: list[str]) -> list[dict]:
    return pq.read_table(out / "tables" / f"{name}.parquet").select(columns).to_pylist()


def status(out: Path) -> dict:
    command = [str(Path(sys.executable).with_name("vss")), "status", str(out), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 40), st.integers(0, 12)), max_size=6),
)
def test_the_clips_that_spans_touch(lengths, found):
    spans = [(video_id, start, start + length) for video_id, start, length in found]
    clips = []
    for video_id in ("a", "b"):
        start = 0
        for length in lengths:
            clip = Clip.of_pictures(video_id, length, 1.0, 8, 8)
            stop = start + length
            clips.append(replace(clip, start=start, stop=stop, start_seconds=float(start), stop_seconds=float(stop)))
            start = stop
    wanted = [
        clip
        for clip in clips
        if any(
            video_id == clip.video_id and start < clip.stop and (end > clip.start or start == end == clip.start)
            for video_id, start, end in spans
        )
    ]
    assert touched(clips, spans) == wanted


def test_refusals_come_before_ray(tmp_path):
    with pytest.raises(StorageError, match="holds no run"):
        refine(str(tmp_path / "nowhere"), "sky", address=None, console=QUIET)
    location = Location.open(tmp_path / "out")
    run = Run.start(location, config.load("evs", ["pass=coarse"]).resolved(has_cuda=False), "/archive")
    with pytest.raises(StorageError, match="tables"):
        refine(location.root, "sky", address=None, console=QUIET)
    run.write_manifest([])
    compact(location, [])
    with pytest.raises(QueryError, match="unicorn"):
        refine(location.root, "unicorn", address=None, console=QUIET)


@pytest.fixture(scope="module")
def full(local_ray, archive, tmp_path_factory) -> Path:
    """A full run."""
    out = tmp_path_factory.mktemp("full") / "out"
    label(archive, out)
    return out


@pytest.fixture(scope="module")
def coarse(local_ray, archive, tmp_path_factory) -> Path:
    """A coarse run of the same point; copy it to work on."""
    out = tmp_path_factory.mktemp("coarse") / "out"
    summary = label(archive, out, "pass=coarse")
    assert (summary.clips_done, summary.clips_failed) == (len(planned(out)), 0)
    return out


def planned(out: Path) -> list[Clip]:
    return [Clip.from_row(row) for row in Run.open(Location.open(out)).manifest_rows()]


def put(source: Path, out: Path, clip: Clip) -> None:
    """Copy a clip that is done."""
    for folder, suffix in (("masks", "mkv"), ("commits", "parquet")):
        path = Path(folder, clip.video_id, f"{clip.clip_id}.{suffix}")
        shutil.copy(source / path, out / path)


@pytest.mark.ray
def test_a_coarse_pass_sees_the_codec_keyframes_of_every_clip(coarse, full):
    clips = planned(coarse)
    seen = rows(coarse, "frames", ["video_id", "frame", "pts_seconds", "pass", "is_keyframe"])
    looked_at = [(clip.video_id, frame) for clip in clips for frame in clip.coarse_frames]
    assert [(row["video_id"], row["frame"]) for row in seen] == looked_at
    assert all(row["pass"] == "coarse" and row["is_keyframe"] for row in seen)
    times = {(row["video_id"], row["frame"]): row["pts_seconds"] for row in rows(full, "frames", list(seen[0]))}
    assert [row["pts_seconds"] for row in seen] == [times[key] for key in looked_at]
    for clip in rows(coarse, "clips", ["mask_path", "mask_sha256", "num_frames", "start", "stop", "pass"]):
        data = (coarse / clip["mask_path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == clip["mask_sha256"]
        assert len(list(ffv1.build(ffv1.Config()).decode(data))) == clip["num_frames"] < clip["stop"] - clip["start"]
        assert clip["pass"] == "coarse"
    told = status(coarse)
    assert (told["done"], told["coarse"], told["left"]) == (len(clips), len(clips), 0)
    assert told["summary"]["pass"] == "coarse"


@pytest.mark.ray
def test_spans_of_coarse_rows_reach_to_the_end_of_what_they_stand_for(coarse):
    run = Run.open(Location.open(coarse))
    ends = {clip.video_id: clip.stop_seconds for clip in planned(coarse)}
    hits = search(run.location, "sky >= 0%", run.taxonomy)
    assert {(hit.video_id, hit.start) for hit in hits} == {(video_id, 0.0) for video_id in ends}
    assert all(hit.end == pytest.approx(ends[hit.video_id], abs=1e-6) for hit in hits)


@pytest.mark.ray
def test_refine_gives_the_bytes_of_a_full_run_where_the_query_finds_something(coarse, full, archive, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(coarse, out)
    found = [clip for clip in planned(out) if clip.video_id.startswith("a-")]
    put(full, out, found[0])  # as a refine that was killed leaves it
    summary = refine(str(out), QUERY, address=None, console=QUIET)
    assert (summary.clips_done, summary.clips_before) == (len(found) - 1, 1)
    assert summary.frames == sum(clip.num_frames for clip in found[1:])
    own = {clip["mask_path"]: clip["pass"] for clip in rows(out, "clips", ["mask_path", "pass"])}
    now, before, wanted = masks(out), masks(coarse), masks(full)
    assert set(now) == set(own)
    assert {path for path in own if own[path] == "full"} == {path for path in wanted if path.startswith("masks/a-")}
    assert all(now[path] == (wanted if own[path] == "full" else before)[path] for path in own)
    location = Location.open(out)
    best = passes(location)
    assert {key for key in best if best[key] == "full"} == {(clip.video_id, clip.clip_id) for clip in found}
    content = Run.open(location).content()
    assert (content["operating_point"]["pass"], content["summary"]["pass"]) == ("coarse", "full")
    assert (content["summary"]["query"], content["summary"]["clips_found"]) == (QUERY, len(found))
    told = status(out)
    assert (told["done"], told["coarse"], told["left"]) == (len(best), len(best) - len(found), 0)

    again = refine(str(out), QUERY, address=None, console=QUIET)
    assert (again.clips_done, again.clips_before) == (0, len(found))
    with pytest.raises(RunMismatchError, match=r"keyframes\.every was 5, is 7"):
        label(archive, out, "keyframes.every=7")
    rest = label(archive, out)
    assert (rest.clips_done, rest.clips_before) == (len(best) - len(found), len(found))
    assert masks(out) == wanted
    assert not [path for path in location.list() if ".coarse." in path]


@pytest.mark.ray
def test_a_coarse_pass_leaves_alone_what_is_done(coarse, full, archive, tmp_path):
    """A clip of either pass; the one that has no record is made again, with the same bytes."""
    out = tmp_path / "out"
    shutil.copytree(coarse, out)
    first, second, *_ = (f"{clip.video_id}/{clip.clip_id}" for clip in planned(out))
    put(full, out, planned(out)[0])
    (out / "commits" / f"{second}.coarse.parquet").unlink()
    summary = label(archive, out, "pass=coarse")
    assert (summary.clips_done, summary.clips_before) == (1, len(planned(out)) - 1)
    expected = {path: digest for path, digest in masks(coarse).items() if first not in path}
    assert masks(out) == {**expected, f"masks/{first}.mkv": masks(full)[f"masks/{first}.mkv"]}


@pytest.mark.ray
def test_a_clip_that_fails_in_full_stays_coarse(local_ray, tmp_path):
    """Damage between keyframes costs the full pass its clip, and nothing that was there."""
    source = tmp_path / "source"
    source.mkdir()
    scenes.write_scene(source / "a.mp4", scenes.Config(height=96, width=128, num_frames=60, fps=10.0))
    scenes.write_scene(source / "b.mp4", scenes.Config(height=96, width=128, num_frames=30, fps=10.0, seed=1))
    out = tmp_path / "out"
    label(source, out, "pass=coarse")
    data = bytearray((source / "a.mp4").read_bytes())
    start = data.find(b"mdat") + 4
    data[start + 2000 :] = bytes(len(data) - start - 2000)
    (source / "a.mp4").write_bytes(data)
    summary = refine(str(out), "sky >= 0%", address=None, console=QUIET)
    assert summary.clips_failed > 0
    run = Run.open(Location.open(out))
    assert {Path(failure.source).name for failure in run.failures()} == {"a.mp4"}
    best = passes(run.location)
    assert set(best) == {(clip.video_id, clip.clip_id) for clip in planned(out)}
    assert {key[0].split("-")[0] for key in best if best[key] == "coarse"} == {"a"}
    told = status(out)
    assert (told["left"], told["coarse"]) == (0, summary.clips_failed)
    assert len(told["failed"]) == summary.clips_failed
