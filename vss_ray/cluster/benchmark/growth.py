"""Frames a second of archives of more videos, and of longer ones.

Everything is as small as it can be (160x120, and a network of that size), so that the pipeline itself is measured: any
cost that grows with the archive shows here first. A single minute is six clips; that the pipeline has to fill and to
drain is part of what it costs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.archives import street
from vss_ray.cluster.benchmark.figures import SHARE, Figure, Result, length
from vss_ray.cluster.benchmark.job import job
from vss_ray.cluster.benchmark.loop import loop
from vss_ray.cluster.benchmark.settings import Settings

TITLE = "Growth"
WIDTH, HEIGHT = 160, 120
SMALL = ["segmenter.short_side=128", "method.motion_side=64", limits.AT_EVERY]
GOAL = 0.9


def run(settings: Settings) -> Result:
    """Archives of 1, 8 and 64 videos of a minute; one video of 1 and 10 minutes, and of an hour with ``long``."""
    sizes = settings.sizes
    minutes = sizes.minutes if settings.long else sizes.minutes[:-1]
    videos = {_case(count, sizes.minute): _many(settings, count) for count in sizes.videos}
    lengths = {_case(1, sizes.minute * each): _one(settings, sizes.minute * each) for each in minutes}
    sources = {**videos, **lengths}
    speeds: dict[str, list[float]] = {case: [] for case in sources}
    for number in range(settings.rounds):
        for case, source in sources.items():
            settings.tell(f"growth: {case}, round {number + 1} of {settings.rounds}")
            found = job(source, settings.work / "growth", "evs", [*settings.overrides, *SMALL])
            speeds[case].append(found["frames_per_second"])
    figures = [
        Figure(case=case, name="speed", unit="frames/s", values=tuple(values)) for case, values in speeds.items()
    ]
    for case, cases in (("videos", videos), ("length", lengths)):
        steady = tuple(min(row) / max(row) for row in zip(*(speeds[each] for each in cases), strict=True))
        figures.append(Figure(case=case, name="slowest of fastest", unit=SHARE, values=steady, goal=GOAL))
    return Result(figures, [f"{WIDTH}x{HEIGHT}, {', '.join(SMALL)}."])


def _case(count: int, seconds: float) -> str:
    return f"{count} video{'s' if count > 1 else ''} of {length(seconds)}"


def _one(settings: Settings, seconds: float) -> Path:
    folder = settings.work / "archives"
    return loop(street(settings, WIDTH, HEIGHT), folder / f"small-{seconds:g}s.mp4", seconds)


def _many(settings: Settings, count: int) -> Path:
    """A folder with so many links to one video."""
    video = _one(settings, settings.sizes.minute)
    folder = settings.work / "archives" / f"{count}-of-{video.stem}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        os.link(video, folder / f"{number:03d}.mp4")
    return folder
