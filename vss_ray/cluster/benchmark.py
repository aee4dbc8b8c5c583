"""Speed, side by side: what a user would write, this project on every frame, and the operating point.

Every variant runs in a process and a Ray of its own, so that peak memory and caches are its own; variants are
interleaved, medians reported. Times start with the first clip's decoding: Ray's start and the networks' loading are
reported apart.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from vss_ray.cluster.summary import STAGES
from vss_ray.datasets import scenes
from vss_ray.errors import VssError
from vss_ray.media.archive import list_videos
from vss_ray.ops.upsample import upsample_labels

VARIANTS = ("user", "per_frame", "evs")
EVERY = 20
MEASURE = """
import json, sys
from vss_ray.cluster import benchmark
print(json.dumps(benchmark.measure(*json.loads(sys.argv[1]))))
"""


def run(source: str | None, work: Path, repeats: int, segmenter: Sequence[str], console: Console) -> dict[str, Any]:
    """Run all variants over ``source`` and report medians and ratios.

    Args:
        source: Archive; None renders a scene of 640x360, 40 s at 25 frames/s.
        work: Folder for outputs, emptied variant by variant.
        repeats: Rounds.
        segmenter: ``segmenter.KEY=VALUE`` overrides that all variants share.
        console: Where to tell what is running.

    Raises:
        VssError: A variant failed.
    """
    work.mkdir(parents=True, exist_ok=True)
    if source is None:
        source = str(work / "scene.mp4")
        if not Path(source).exists():
            scenes.write_scene(Path(source), scenes.Config(height=360, width=640, num_frames=1000))
    measured: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for repeat in range(repeats):
        for variant in VARIANTS:
            out = work / f"{variant}-{repeat}"
            shutil.rmtree(out, ignore_errors=True)
            console.print(f"round {repeat + 1} of {repeats}: {variant}", highlight=False)
            measured[variant].append(_in_its_own_process(variant, source, out, segmenter))
    medians = {
        variant: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for variant, runs in measured.items()
    }
    speed = {variant: values["frames_per_second"] for variant, values in medians.items()}
    return {
        "source": source,
        "segmenter": list(segmenter),
        "repeats": repeats,
        "variants": medians,
        "evs_over_user": speed["evs"] / speed["user"],
        "evs_over_per_frame": speed["evs"] / speed["per_frame"],
        "upsample_over_torch": upsample_over_torch(),
        "all": measured,
    }


def table(report: dict[str, Any]) -> Table:
    """The report as people read it."""
    title = f"{report['source']} {' '.join(report['segmenter'])}"
    columns = ("variant", "frames/s", *(f"{stage}, core ms" for stage in STAGES), "all, core ms", "peak MB", "start s")
    result = Table(*columns, title=title)
    for variant, values in report["variants"].items():
        stages = [f"{values[f'{stage}_ms']:.2f}" for stage in STAGES]
        memory, start = f"{values['peak_memory_bytes'] / 1e6:.0f}", f"{values['start_seconds']:.1f}"
        result.add_row(
            variant, f"{values['frames_per_second']:.1f}", *stages, f"{values['core_ms']:.2f}", memory, start
        )
    user, per_frame = report["evs_over_user"], report["evs_over_per_frame"]
    result.caption = f"evs every {EVERY}: {user:.1f} x what a user would write, {per_frame:.1f} x per_frame"
    result.caption += f"; exact labels at 2048x1024 from 19 classes: {report['upsample_over_torch']:.0f} x torch"
    return result


def upsample_over_torch(repeats: int = 5) -> float:
    """How much faster exact labels come out of ``ops.upsample`` than out of torch, 2048x1024, 19 classes, one core.

    The scores are those of a rendered street, softened as a network's are.
    """
    import torch
    from torch.nn import functional as F

    (frame,) = scenes.render(scenes.Config(height=256, width=512, num_frames=1))
    soft = [cv2.GaussianBlur((frame.labels == i).astype(np.float32), (0, 0), 1.5) for i in range(11)]
    scores = np.stack([*soft, *(0.1 * plane for plane in soft[:8])], axis=-1)
    tensor = torch.from_numpy(scores).permute(2, 0, 1)[None].contiguous()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ours, theirs = [], []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        labels = upsample_labels(scores, 1024, 2048)
        between = time.perf_counter()
        reference = F.interpolate(tensor, (1024, 2048), mode="bilinear").argmax(1)[0].numpy()
        ours.append(between - began)
        theirs.append(time.perf_counter() - between)
        if not np.array_equal(labels, reference):
            raise VssError("benchmark: labels differ from torch's; please report the machine")
    torch.set_num_threads(threads)
    return statistics.median(theirs[1:]) / statistics.median(ours[1:])  # the first round compiles


def measure(variant: str, source: str, out: str, segmenter: Sequence[str]) -> dict[str, float]:
    """Run one variant here and now; called in the process that ``run`` starts."""
    from vss_ray import config
    from vss_ray.cluster import naive
    from vss_ray.cluster.segment import segment
    from vss_ray.cluster.session import connect

    if variant == "user":
        began = time.time()
        point = config.load("per_frame", segmenter)
        costs = naive.run([entry.url for entry in list_videos(source)], Path(out), point, connect(None).cpus)
        frames, seconds, start = costs["frames"], costs["seconds"], costs["first"] - began
        stage_seconds, memory = {stage: costs[stage] for stage in STAGES}, costs["peak_memory_bytes"]
    else:
        extra = [f"keyframes.every={EVERY}"] if variant == "evs" else []
        point = config.load(variant, [*segmenter, *extra])
        summary = segment(source, out, point, limit=None, address=None, console=Console(stderr=True, quiet=True))
        if summary.clips_failed or summary.videos_failed:
            raise VssError(f"benchmark: {variant} failed on {summary.clips_failed} clips; see {out}/failed.parquet")
        frames, seconds, start = float(summary.frames), summary.run_seconds, summary.start_seconds
        stage_seconds, memory = summary.stage_seconds, summary.peak_memory_bytes
    return {
        "frames": frames,
        "frames_per_second": frames / seconds,
        **{f"{stage}_ms": 1000 * stage_seconds[stage] / frames for stage in STAGES},
        "core_ms": 1000 * sum(stage_seconds.values()) / frames,
        "peak_memory_bytes": memory,
        "start_seconds": start,
    }


def _in_its_own_process(variant: str, source: str, out: Path, segmenter: Sequence[str]) -> dict[str, float]:
    request = json.dumps([variant, source, str(out), list(segmenter)])
    done = subprocess.run([sys.executable, "-c", MEASURE, request], capture_output=True, text=True, check=False)
    if done.returncode:
        raise VssError(f"benchmark: {variant} ended with code {done.returncode}: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
