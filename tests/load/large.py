"""The memory of one worker over clips of 4096x2304 at 30 frames a second: 5 s and then 10 s, the usual length."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2

from tests.load.figures import Figure, exactly
from vss_ray.cluster.benchmark.loop import loop
from vss_ray.datasets import scenes
from vss_ray.media.write import write_video

PART = "large"
HEIGHT, WIDTH, FPS, RENDERED = 2304, 4096, 30, 15
WORKER = Path(__file__).parents[1] / "cluster" / "one_worker.py"
LIMIT = 8 * 2**30
PER_FRAME = {"evs": 1.1e6, "per_frame": 6.5e6}
"""Bytes; see ``vss_ray.scan``."""


def run(work: Path, frames: int) -> list[Figure]:
    """A clip of so many frames, and before it one of half as many."""
    small = [frame.rgb for frame in scenes.render(scenes.Config(height=288, width=512, num_frames=RENDERED, fps=FPS))]
    group = work / "group.mp4"
    pictures = (cv2.resize(each, (WIDTH, HEIGHT)) for each in [*small, *reversed(small)])
    write_video(group, pictures, fps=FPS, gop=RENDERED, options={"preset": "ultrafast"})  # type: ignore[arg-type]
    video = loop(group, work / "large.mp4", frames / FPS)
    figures = []
    for name, bound in PER_FRAME.items():
        command = [sys.executable, str(WORKER), name, str(video), str(work / name), str(LIMIT)]
        lengths = [str(frames / FPS / part) for part in (2, 1)]
        done = subprocess.run([*command, *lengths], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name}: ended with code {done.returncode}: {done.stderr[-2000:]}")
        half, whole = json.loads(done.stdout)
        grown = (whole["peak_bytes"] - half["peak_bytes"]) / (whole["frames"] - half["frames"])
        figures += [
            exactly(PART, f"{name}: clips failed", sum(each["failure"] is not None for each in (half, whole)), 0),
            Figure(PART, f"{name}: peak, {half['frames']} frames", half["peak_bytes"] / 1e6, "MB"),
            Figure(PART, f"{name}: peak, {whole['frames']} frames", whole["peak_bytes"] / 1e6, "MB"),
            Figure(PART, f"{name}: a further frame takes", grown / 1e6, "MB", at_most=bound / 1e6),
        ]
    return figures
