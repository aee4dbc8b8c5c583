"""One run of the whole job, as ``vss segment`` does it, and what it cost."""

from __future__ import annotations

import io
import resource
import shutil
import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from vss_ray import config
from vss_ray.cluster.benchmark import watch
from vss_ray.cluster.benchmark.alone import alone
from vss_ray.cluster.segment import segment
from vss_ray.cluster.session import connect
from vss_ray.cluster.summary import STAGES
from vss_ray.errors import VssError


def job(
    source: Path,
    out: Path,
    name: str,
    overrides: list[str],
    *,
    environment: dict[str, str] | None = None,
    store: bool = False,
) -> dict[str, float]:
    """Segment ``source`` in a process and a Ray of its own; see ``run`` for what comes back. OUT does not stay."""
    shutil.rmtree(out, ignore_errors=True)
    try:
        return alone(run, str(source), str(out), name, overrides, time.time(), store, environment=environment)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def run(source: str, out: str, name: str, overrides: list[str], spawned: float, store: bool) -> dict[str, float]:
    """Segment here and now.

    Args:
        source: Archive.
        out: Empty.
        name: Of an operating point.
        overrides: Of it.
        spawned: When the command was given, Unix time.
        store: Watch the object store, too; Ray is then up before the job begins.

    Returns:
        frames, run_seconds (see ``watch.run_seconds``), frames_per_second of them, start_seconds (from the command to
        the first clip's decoding), total_seconds (from the command to the last commit), STAGE_ms and core_ms of a core
        a frame, busy_cores, peak_memory_bytes (the largest process, this one among them), store_bytes,
        frames_in_flight.

    Raises:
        VssError: A clip failed.
    """
    clips, told = watch.Clips(), Console(file=io.StringIO())
    point = config.load(name, overrides)
    if store:
        connect(None)
    looking = watch.Store() if store else None
    with looking or nullcontext():
        summary = segment(source, out, point, limit=None, address=None, console=told, trace=clips)
    if summary.clips_failed or summary.videos_failed:
        raise VssError(f"benchmark: {name} failed on {summary.clips_failed} clips; see {out}/failed.parquet")
    frames, cores = summary.frames, sum(summary.stage_seconds.values())
    seconds = watch.run_seconds(clips.worked, connect(None).cpus)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "frames": frames,
        "network_pictures": summary.network_pictures,
        "video_seconds": summary.video_seconds,
        "run_seconds": seconds,
        "frames_per_second": frames / seconds,
        "start_seconds": min(clip.began for clip in clips.worked) - spawned,
        "total_seconds": max(clip.ended for clip in clips.worked) - spawned,
        **{f"{stage}_ms": 1000 * summary.stage_seconds[stage] / frames for stage in STAGES},
        "core_ms": 1000 * cores / frames,
        "busy_cores": cores / seconds,
        "peak_memory_bytes": max(summary.peak_memory_bytes, own),
        "store_bytes": looking.peak if looking else 0.0,
        "frames_in_flight": watch.in_flight(clips.worked),
    }
