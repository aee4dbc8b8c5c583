"""What kills its worker or hangs costs only itself, is named, and is tried again when somebody asks for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import ray
from rich.console import Console

from vss_ray import config
from vss_ray.cluster import pipeline, planning
from vss_ray.cluster.full_disk import DiskFullError
from vss_ray.cluster.segment import segment
from vss_ray.cluster.session import Resources
from vss_ray.failures import Failure
from vss_ray.media.archive import list_videos
from vss_ray.run import Run
from vss_ray.storage.location import Location

pytestmark = [pytest.mark.ray, pytest.mark.slow]
POINT = ["method.name=cluster.poisoned", "segmenter.name=conformance.nearest_color", "keyframes.every=10"]
POINT += ["clip_attempts=2", "clip_timeout_seconds=8"]
HEALTHY = ("good0", "good1", "good2", "good3")


class Archive:
    """Copies of one short video; some have a dose."""

    def __init__(self, folder: Path, video: Path, doses: dict[str, str]) -> None:
        self.source, self.out, self.doses, self.told = folder / "in", folder / "out", folder / "doses", ""
        self.source.mkdir()
        self.doses.mkdir()
        self._video = video
        for name in (*HEALTHY, *doses):
            self.add(name)
        for name, dose in doses.items():
            (self.doses / name).write_text(dose)

    def add(self, name: str) -> None:
        os.link(self._video, self.source / f"{name}.mp4")

    def label(self, *overrides: str, **options):
        console = Console(width=200)
        with console.capture() as told:
            point = config.load("evs", [*POINT, f"method.doses={self.doses}", *overrides])
            summary = segment(
                str(self.source), str(self.out), point, address=None, console=console, **{"limit": None, **options}
            )
        self.told = told.get()
        return summary

    def masks(self) -> dict[str, str]:
        """sha256 by the name of the video."""
        masks = (self.out / "masks").rglob("*.mkv")
        return {path.parent.name.split("-")[0]: hashlib.sha256(path.read_bytes()).hexdigest() for path in masks}

    def failures(self) -> dict[str, Failure]:
        failures = Run.open(Location.open(str(self.out))).failures()
        assert len({failure.source for failure in failures}) == len(failures)
        return {Path(failure.source).stem: failure for failure in failures}


def brief(failures: dict[str, Failure]) -> dict[str, tuple]:
    return {name: (f.stage, f.error, f.signal, f.attempts) for name, f in failures.items()}


@pytest.fixture(scope="module")
def undisturbed(local_ray, archive, tmp_path_factory) -> str:
    """sha256 of the video's mask. What is compiled once on a machine is compiled then, before the watchdog looks on."""
    healthy = Archive(tmp_path_factory.mktemp("healthy"), archive / "day" / "b.mp4", {})
    assert healthy.label("clip_timeout_seconds=300").clips_failed == 0
    (digest,) = set(healthy.masks().values())
    return digest


@pytest.fixture
def beside_gpus(monkeypatch):
    """Three operators, and two clips in one batch."""

    def arranged(run, clips, resources, placed, attempts):
        return pipeline.beside_gpus(run, clips, Resources(resources.cpus, 0), replace(placed, clips=2), attempts)

    monkeypatch.setattr(pipeline, "on_cores", arranged)


def test_poison_costs_only_itself_and_stays_until_asked_for(undisturbed, archive, tmp_path):
    doses = {"crash": "segfault prepare", "hang": "hang infer", "memory": "memory finish", "gone": "killed prepare"}
    poisoned = Archive(tmp_path, archive / "day" / "b.mp4", doses)
    summary = poisoned.label()
    assert (summary.clips_done, summary.clips_failed) == (len(HEALTHY), 4)
    assert poisoned.masks() == dict.fromkeys(HEALTHY, undisturbed)
    failures = poisoned.failures()
    assert brief(failures) == {
        "crash": ("prepare", "WorkerDied", "SIGSEGV", 2),
        "hang": ("infer", "TimedOut", None, 2),
        "memory": ("finish", "WorkerDied", "SIGABRT", 2),
        "gone": ("prepare", "WorkerDied", "SIGKILL", 3),  # the last one without neighbors
    }
    assert "crashed its worker by SIGSEGV in string_at" in failures["crash"].message
    assert "tried 2 times and not done after 8 s in hang (line" in failures["hang"].message
    assert "most likely because memory ran out" in failures["gone"].message

    again = poisoned.label()
    assert (again.clips_done, again.clips_failed, again.clips_quarantined) == (0, 0, 4)
    assert "4 clips and 0 files are in quarantine" in poisoned.told
    assert poisoned.failures() == failures

    for name in ("crash", "gone"):
        (poisoned.doses / name).unlink()
    poisoned.add("new")  # never tried, so no part of what is tried again
    some = poisoned.label(retry_failed=True, limit=1)
    assert (some.clips_done, some.clips_failed) == (1, 0)
    assert set(poisoned.failures()) == {"gone", "hang", "memory"}
    for name in ("hang", "memory"):
        (poisoned.doses / name).unlink()
    rest = poisoned.label(retry_failed=True)
    assert (rest.clips_done, rest.clips_failed, rest.clips_before) == (3, 0, len(HEALTHY) + 1)
    assert poisoned.failures() == {}
    assert poisoned.masks() == dict.fromkeys((*HEALTHY, *doses), undisturbed)


def test_what_ray_loses_is_done_in_another_pass(undisturbed, archive, tmp_path):
    """Actors that are gone for good break the pipeline."""
    poisoned = Archive(tmp_path, archive / "day" / "b.mp4", {"good0a": "lose infer", "good2a": "lose finish"})
    summary = poisoned.label()
    assert (summary.clips_done, summary.clips_failed) == (len(HEALTHY) + 2, 0)
    assert poisoned.failures() == {}
    assert poisoned.masks() == dict.fromkeys((*HEALTHY, "good0a", "good2a"), undisturbed)


def test_poison_beside_gpus(undisturbed, archive, tmp_path, beside_gpus):
    """The clips of its batch are done, each alone."""
    doses = {"good0a": "segfault infer", "good2a": "killed prepare", "good3a": "hang finish"}
    poisoned = Archive(tmp_path, archive / "day" / "b.mp4", doses)
    summary = poisoned.label()
    assert (summary.clips_done, summary.clips_failed) == (len(HEALTHY), 3)
    assert poisoned.masks() == dict.fromkeys(HEALTHY, undisturbed)
    assert brief(poisoned.failures()) == {
        "good0a": ("infer", "WorkerDied", "SIGSEGV", 2),
        "good2a": ("prepare", "WorkerDied", "SIGKILL", 3),
        "good3a": ("finish", "TimedOut", None, 2),
    }


@pytest.mark.parametrize("arranged", ["on_cores", "beside_gpus"])
def test_who_loses_its_gpu_ends_and_its_clips_are_done_by_another(undisturbed, archive, tmp_path, request, arranged):
    if arranged == "beside_gpus":
        request.getfixturevalue("beside_gpus")
    doses = {"good0a": "once infer", "good1a": "gpu infer", "good2a": "refused infer"}
    poisoned = Archive(tmp_path, archive / "day" / "b.mp4", doses)
    summary = poisoned.label()
    failures = poisoned.failures()
    assert brief(failures) == {
        "good1a": ("infer", "WorkerDied", None, 2),
        "good2a": ("infer", "AcceleratorError", None, 1),
    }
    assert "without a GPU (CUDA error: device-side assert triggered); see to that GPU" in failures["good1a"].message
    assert "at some other call" not in failures["good1a"].message
    assert (summary.clips_done, summary.clips_failed) == (len(HEALTHY) + 1, 2)
    assert poisoned.masks() == dict.fromkeys((*HEALTHY, "good0a"), undisturbed)


@pytest.mark.parametrize("stage", ["prepare", "infer"])
def test_a_full_disk_of_a_worker_ends_the_run_and_no_clip_is_to_blame(
    undisturbed, archive, tmp_path, small_disk, stage
):
    poisoned = Archive(tmp_path, archive / "day" / "b.mp4", {})
    poisoned.add("unlucky")
    poisoned.doses = small_disk
    (small_disk / "unlucky").write_text(f"fill {stage}")
    said = (
        r"there is no space left on its own disk; make room there, .* and run the same command again; \d clips are done"
    )
    with pytest.raises(DiskFullError, match=f"^{re.escape(socket.gethostname())}: {said}"):
        poisoned.label()
    assert poisoned.failures() == {}
    done = len(poisoned.masks())
    assert done < len(HEALTHY) + 1
    (small_disk / "unlucky").unlink()
    summary = poisoned.label()
    assert (summary.clips_before, summary.clips_quarantined, summary.clips_failed) == (done, 0, 0)
    assert poisoned.masks() == dict.fromkeys((*HEALTHY, "unlucky"), undisturbed)


def test_a_file_that_kills_its_probe_costs_only_itself(local_ray, archive, tmp_path, monkeypatch):
    for name in ("a", "b", "crash", "d"):
        os.link(archive / "a.mp4", tmp_path / f"{name}.mp4")

    def probe(entry, *limits, real=planning.probe):
        if "crash" in entry.url:
            import ctypes

            ctypes.string_at(0)
        return real(entry, *limits)

    ray.cloudpickle.register_pickle_by_value(planning)
    try:
        monkeypatch.setattr(planning, "probe", probe)
        plain = planning._probe_and_plan._function
        monkeypatch.setattr(planning, "_probe_and_plan", ray.remote(num_cpus=1, max_retries=-1)(plain))
        plan = planning.plan_archive(list_videos(str(tmp_path)), clip_seconds=2.0)
    finally:
        ray.cloudpickle.unregister_pickle_by_value(planning)
    assert {clip.video_id.split("-")[0] for clip in plan.clips} == {"a", "b", "d"}
    (failure,) = plan.failures
    assert (failure.stage, failure.error, failure.signal, failure.attempts) == ("probe", "WorkerDied", "SIGSEGV", 3)
    assert failure.clip_id is None
    json.dumps(vars(failure))
