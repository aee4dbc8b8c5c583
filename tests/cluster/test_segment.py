"""The main job on a real Ray: masks, tables, resume, damage, refusals, S3."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from ray.cluster_utils import Cluster
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.storage import fault_proxy
from tests.storage.fault_proxy import FaultProxy, storm
from vss_ray import config
from vss_ray.cluster import pipeline
from vss_ray.cluster.segment import segment
from vss_ray.cluster.session import Resources
from vss_ray.cluster.summary import STAGES
from vss_ray.errors import RunMismatchError, VideoError
from vss_ray.index.search import search
from vss_ray.masks import ffv1
from vss_ray.run import Run
from vss_ray.segmenters import builtin
from vss_ray.storage.commit import committed
from vss_ray.storage.location import Location

pytestmark = pytest.mark.ray
QUIET = Console(quiet=True)
FRAMES = 60 + 30 + 45
POINT = ["clip_seconds=2", "keyframes.every=5", "segmenter.short_side=64"]


def label(source, out, name="evs", *overrides, limit=None):
    return segment(
        str(source), str(out), config.load(name, [*POINT, *overrides]), limit=limit, address=None, console=QUIET
    )


def masks(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "masks").rglob("*.mkv"))
    }


@pytest.fixture(scope="module")
def done(local_ray, archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "out"
    return out, label(archive, out, "evs", "audit=0.2")


def test_every_frame_of_every_video_has_a_mask_and_a_row(done):
    out, summary = done
    assert (summary.clips_failed, summary.videos_failed, summary.frames) == (0, 0, FRAMES)
    run = Run.open(Location.open(str(out)))
    frames = pq.read_table(out / "tables" / "frames.parquet")
    clips = pq.read_table(out / "tables" / "clips.parquet").to_pylist()
    assert len(frames) == FRAMES
    assert np.allclose(np.array(frames["area"].to_pylist()).sum(1), 1, atol=1e-5)
    for clip in clips:
        data = (out / clip["mask_path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == clip["mask_sha256"]
        pictures = list(ffv1.build(ffv1.Config()).decode(data))
        assert len(pictures) == clip["num_frames"] == clip["stop"] - clip["start"]
        own = [
            row
            for row in frames.to_pylist()
            if row["clip_id"] == clip["clip_id"] and row["video_id"] == clip["video_id"]
        ]
        for picture, row in zip(pictures, own, strict=True):
            assert picture.shape == (clip["height"], clip["width"])
            area = np.bincount(picture.ravel(), minlength=len(run.taxonomy)) / picture.size
            assert np.allclose(area, row["area"], atol=1e-6)
    assert summary.audit.shares
    assert summary.decoded_frames / summary.frames <= 1.02
    for stage in STAGES:
        assert 0 < summary.floor_seconds[stage] < summary.stage_seconds[stage]


def test_the_tables_answer_questions(done):
    out, _ = done
    run = Run.open(Location.open(str(out)))
    hits = search(run.location, "road > 1% for 0.5s", run.taxonomy)
    assert all(hit.end - hit.start >= 0.5 for hit in hits)


def test_the_same_command_again_does_nothing(done, archive):
    out, summary = done
    before = masks(out)
    again = label(archive, out, "evs", "audit=0.2")
    assert (again.clips_done, again.clips_before) == (0, summary.clips_done)
    assert masks(out) == before


def test_two_runs_write_the_same_bytes_whatever_is_done_first(done, local_ray, archive, tmp_path):
    out, _ = done
    label(archive, tmp_path / "out", "evs", "audit=0.2", limit=2)
    assert len(masks(tmp_path / "out")) == 2
    label(archive, tmp_path / "out", "evs", "audit=0.2")
    assert masks(tmp_path / "out") == masks(out)


@pytest.mark.slow
def test_three_operators_as_beside_a_gpu_write_the_same_bytes(done, local_ray, archive, tmp_path, monkeypatch):
    out, summary = done

    def beside_gpus(run, clips, resources, placed, attempts):
        return pipeline.beside_gpus(run, clips, Resources(resources.cpus, 0), replace(placed, clips=2), attempts)

    monkeypatch.setattr(pipeline, "on_cores", beside_gpus)
    other = label(archive, tmp_path / "out", "evs", "audit=0.2")
    assert (other.clips_done, other.clips_failed) == (summary.clips_done, 0)
    assert masks(tmp_path / "out") == masks(out)


def test_another_operating_point_is_refused_with_both_named(done, archive):
    out, _ = done
    with pytest.raises(RunMismatchError, match=r"keyframes\.every was 5, is 7"):
        label(archive, out, "evs", "audit=0.2", "keyframes.every=7")


def test_damage_costs_only_itself(local_ray, archive, tmp_path):
    source = tmp_path / "damaged"
    shutil.copytree(archive, source)
    (source / "empty.mp4").write_bytes(b"")
    (source / "text.mp4").write_text("no video at all " * 50)
    whole = (archive / "a.mp4").read_bytes()
    (source / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    summary = label(source, tmp_path / "out")
    run = Run.open(Location.open(str(tmp_path / "out")))
    failed = {Path(failure.source).name: failure for failure in run.failures()}
    assert {"empty.mp4", "text.mp4"} <= set(failed)
    assert all(failure.stage in ("probe", "prepare") and failure.message for failure in failed.values())
    assert summary.clips_done >= 4
    assert {video.split("-")[0] for video, _ in committed(run.location)} >= {"a", "day_b"}


def test_a_file_that_changed_after_planning_fails_alone(local_ray, archive, tmp_path, monkeypatch):
    """Header and reality differ: fewer frames come out than the packets promised."""
    source = tmp_path / "source"
    shutil.copytree(archive, source)
    from vss_ray.cluster import segment as module

    real = module.plan_archive

    def plan_then_damage(*arguments):
        plan = real(*arguments)
        data = bytearray((source / "a.mp4").read_bytes())
        start = data.find(b"mdat") + 4
        data[start + 2000 :] = bytes(len(data) - start - 2000)
        return (source / "a.mp4").write_bytes(data) and plan

    monkeypatch.setattr(module, "plan_archive", plan_then_damage)
    label(source, tmp_path / "out")
    run = Run.open(Location.open(str(tmp_path / "out")))
    assert {Path(failure.source).name for failure in run.failures()} == {"a.mp4"}
    assert "day_b" in {video.rsplit("-", 1)[0] for video, _ in committed(run.location)}


def test_a_network_that_does_not_fit_fails_the_clips_and_says_why(local_ray, archive, tmp_path):
    """Headers are read on the driver; what only building shows must not become a traceback of Ray's."""
    broken = tmp_path / "broken.safetensors"
    with safe_open(builtin.WEIGHTS / "swiftnet_mobilenet_v2_camvid.safetensors", framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if "blend" not in name}  # noqa: SIM118
        save_file(tensors, broken, file.metadata())
    summary = label(archive / "day", tmp_path / "out", "evs", f"segmenter.weights={broken}")
    assert (summary.clips_done, summary.clips_failed) == (0, 1)
    (failure,) = Run.open(Location.open(str(tmp_path / "out"))).failures()
    assert (failure.stage, failure.error) == ("infer", "ModelError")


def test_out_inside_source_is_not_part_of_the_archive(local_ray, archive, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(archive, source)
    first = label(source, source / "out")
    again = label(source, source / "out")
    assert (again.clips_done, again.clips_before) == (0, first.clips_done)


def test_a_limit_works_through_the_archive_and_keeps_the_tables_whole(local_ray, archive, tmp_path):
    for done in (1, 2):
        summary = label(archive, tmp_path / "out", limit=1)
        assert (summary.clips_done, summary.clips_before) == (1, done - 1)
    assert len(pq.read_table(tmp_path / "out" / "tables" / "clips.parquet")) == 2


def test_an_archive_without_videos_is_refused(local_ray, tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(VideoError, match="holds no video"):
        label(tmp_path / "source", tmp_path / "out")


@pytest.mark.slow
def test_killed_in_the_middle_and_started_again_it_ends_with_the_same_bytes(done, archive, tmp_path):
    """SIGKILL of the driver while clips are being committed; its Ray dies with it."""
    expected, _ = done
    out = tmp_path / "out"
    command = [str(Path(sys.executable).with_name("vss")), "segment", str(archive), str(out), *SETS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if len(list((out / "commits").rglob("*.parquet"))) >= 1:
            process.kill()
        time.sleep(0.05)
    assert process.wait() == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in (out / "commits").rglob("*.parquet")}
    assert 0 < len(before) < len(masks(expected)), "killed too late to show anything"
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert masks(out) == masks(expected)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items()), "a clip was done twice"
    frames = pq.read_table(out / "tables" / "frames.parquet").select(["video_id", "frame"]).to_pylist()
    assert len({(row["video_id"], row["frame"]) for row in frames}) == len(frames) == FRAMES


@pytest.mark.slow
def test_two_at_a_time_one_works_and_the_other_is_refused(done, archive, tmp_path):
    """Two processes, one OUT, started together. The one that is refused has harmed nothing."""
    expected, _ = done
    out = tmp_path / "out"
    command = [str(Path(sys.executable).with_name("vss")), "segment", str(archive), str(out), *SETS]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = {process.wait(200): process.communicate()[1] for process in both}
    if len(told) == 2:  # else the first one was done before the second had looked: that one found nothing to do
        assert set(told) == {0, 1}, told
        assert "is being worked on by process" in told[1].replace("\n", " ")
    assert masks(out) == masks(expected)
    assert len(pq.read_table(out / "tables" / "frames.parquet")) == FRAMES
    assert Run.open(Location.open(str(out))).failures() == []
    assert not (out / "run.lock").exists()


def vss(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, in a process and a Ray of its own."""
    command = [str(Path(sys.executable).with_name("vss")), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=250, check=False, env={**os.environ, **(env or {})}
    )


SETS = [item for override in (*POINT, "audit=0.2") for item in ("--set", override)]


@pytest.mark.slow
@pytest.mark.s3
def test_from_and_to_s3_in_a_storm(done, archive, s3):
    filesystem, root = fsspec.core.url_to_fs(f"{s3.url}/segment")
    filesystem.put(str(archive), f"{root}/source", recursive=True)
    source, out = f"{s3.url}/segment/source", f"{s3.url}/segment/out"
    # Every seventh request goes wrong in one of the ways in which a busy server and a bad network do.
    with FaultProxy(s3.endpoint, storm(0.15, *fault_proxy.ANY, seed=1)) as proxy:
        finished = vss("segment", source, out, *SETS, "--json", env={"AWS_ENDPOINT_URL": proxy.endpoint})
    assert sum(proxy.done[fault.name] for fault in fault_proxy.ANY) > 10
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert json.loads(finished.stdout)["frames"] == FRAMES
    location = Location.open(out)
    expected, _ = done
    same = {path: hashlib.sha256(location.read(path)).hexdigest() == digest for path, digest in masks(expected).items()}
    assert same
    assert all(same.values())
    answer = vss("search", out, "sky > 0% or road > 0%", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)
    again = vss("segment", source, out, *SETS, "--json")
    assert json.loads(again.stdout)["clips_done"] == 0


@pytest.mark.s3
def test_wrong_keys_are_refused_in_one_sentence(archive, s3):
    refused = vss("segment", str(archive), f"{s3.url}/x", *SETS, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert refused.returncode == 1
    assert "wrong" not in refused.stderr.replace("wrong key", "")
    assert s3.url in refused.stderr.replace("\n", "")


@pytest.mark.slow
def test_two_nodes_write_the_same_bytes(done, archive, tmp_path, monkeypatch):
    """A cluster of two raylets on this machine, joined by ``--address``."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        out = tmp_path / "out"
        finished = vss("segment", str(archive), str(out), *SETS, "--address", cluster.address)
    finally:
        cluster.shutdown()
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert masks(out) == masks(done[0])
