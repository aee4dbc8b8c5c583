"""The whole Ray job against a bare loop of the same functions, on the same cores.

The loop is one process a core that takes clips from a queue and commits them; networks are loaded and compiled before
the clock starts, for both (``watch.run_seconds`` says how). Both run without a GPU. What comes before the first clip is
decoded is told apart.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from multiprocessing.context import SpawnProcess
from typing import Any

from vss_ray import config, stages
from vss_ray.clips import Clip
from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.alone import NO_GPU, ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import archive
from vss_ray.cluster.benchmark.figures import RATIO, Figure, Result, length, ratios
from vss_ray.cluster.benchmark.job import job
from vss_ray.cluster.benchmark.loaded import clips_of, load
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.media.decode import decode
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

TITLE = "Plumbing"
LOADING_SECONDS = 300
"""A process that has not loaded by then has failed."""


def run(settings: Settings) -> Result:
    """On the first of the archives, made ten minutes long."""
    shown = archive(settings, settings.archives[0], settings.sizes.lasting)
    overrides, out = [*settings.overrides, limits.AT_EVERY], settings.work / "plumbing"
    jobs, loops = [], []
    for number in range(settings.rounds):
        settings.tell(f"plumbing: round {number + 1} of {settings.rounds}")
        shutil.rmtree(out, ignore_errors=True)
        loops.append(
            alone(bare, str(shown.path), str(out), overrides, os.cpu_count(), environment={**ONE_THREAD, **NO_GPU})
        )
        jobs.append(job(shown.path, out, "evs", overrides, environment=NO_GPU))
    shutil.rmtree(out, ignore_errors=True)
    speed = [each["frames_per_second"] for each in jobs]
    case = f"{shown.width}x{shown.height}, {length(settings.sizes.lasting)}"
    starts = tuple(each["start_seconds"] for each in jobs)
    busy = tuple(each["busy_cores"] for each in jobs)
    totals = tuple(each["total_seconds"] for each in jobs)
    return Result(
        [
            Figure(case=case, name="Ray job", unit="frames/s", values=tuple(speed)),
            Figure(case=case, name="bare loop", unit="frames/s", values=tuple(loops)),
            Figure(case=case, name="job over loop", unit=RATIO, values=ratios(speed, loops), goal=0.95),
            Figure(case=case, name="busy", unit="cores", values=busy),
            Figure(case=case, name="start", unit="s", values=starts, better="less", goal=8.0),
            Figure(case=case, name="start and all", unit="s", values=totals, better="less"),
        ],
        ["Start: from the command to the decoding of the first clip, so Python's imports, Ray and the plan."],
    )


def bare(source: str, out: str, overrides: list[str], processes: int) -> float:
    """Frames a second of the bare loop over a file."""
    clips = clips_of(source, config.load("evs", overrides).clip_seconds)
    context = multiprocessing.get_context("spawn")
    todo, ready = context.Queue(), context.Barrier(processes + 1, timeout=LOADING_SECONDS)
    workers = [context.Process(target=_work, args=(out, overrides, clips[0], todo, ready)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for clip in clips:
        todo.put(clip)
    for _ in workers:
        todo.put(None)
    ready.wait()
    began = time.perf_counter()
    _join(workers)
    return sum(clip.num_frames for clip in clips) / (time.perf_counter() - began)


def _join(workers: list[SpawnProcess]) -> None:
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"a process of the bare loop ended with code {worker.exitcode}")


def _work(out: str, overrides: list[str], first: Clip, todo: Any, ready: Any) -> None:
    """One process: everything that the three operators do, one clip after the other."""
    loaded, location = load(overrides, first), Location.open(out)
    ready.wait()
    while (clip := todo.get()) is not None:
        prepared = loaded.method.prepare(clip, decode(clip))
        done = stages.finish_clip(loaded.point, loaded.method, prepared, loaded.infer(prepared))
        ids = {"video_id": clip.video_id, "clip_id": clip.clip_id, "source": clip.source}
        commit(location, clip.video_id, clip.clip_id, done.mask, done.frames, {**ids, **done.facts})
