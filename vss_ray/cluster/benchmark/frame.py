"""What a frame that the network never sees costs: decoding, motion, labels, mask, counts; one process, one core.

The network's own time is left out and told apart; everything else of the clip is divided by all its frames.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable
from typing import Any

from vss_ray import stages
from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import archive
from vss_ray.cluster.benchmark.figures import Figure, Result
from vss_ray.cluster.benchmark.loaded import clips_of, load
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.media.decode import decode

TITLE = "A frame between keyframes"
GOAL_MS = 9.0
SHOWN = 12
"""Functions of the profile."""


def run(settings: Settings) -> Result:
    """At 1280x720 where that is among the archives, else at the first of them."""
    name = "1280x720" if "1280x720" in settings.archives else settings.archives[0]
    shown = archive(settings, name, settings.sizes.alone)
    settings.tell(f"frame: {name}")
    overrides = [*settings.overrides, limits.AT_EVERY]
    found = alone(measure, str(shown.path), overrides, settings.sizes.alone, settings.repeats, environment=ONE_THREAD)
    case = f"{shown.width}x{shown.height}"
    goal = GOAL_MS if name == "1280x720" else None
    prepared, finished, decoded = found["prepare"], found["finish"], found["decode"]
    everything = tuple(a + b for a, b in zip(prepared, finished, strict=True))
    motion = tuple(a - b for a, b in zip(prepared, decoded, strict=True))

    def row(name: str, values: tuple[float, ...], goal: float | None = None) -> Figure:
        return Figure(case=case, name=name, unit="core ms", values=tuple(values), better="less", goal=goal)

    figures = [
        row("a frame without the network", everything, goal),
        row("decode", decoded),
        row("motion and choice", motion),
        row("labels, mask, counts", finished),
        row("the network, spread over all frames", found["infer"]),
    ]
    share = everything[-1] / max(sum(found["profile"].values()), 1e-9)
    lines = [f"{name} {ms * share:.2f}" for name, ms in list(found["profile"].items())[:SHOWN]]
    return Result(
        figures, [f"Where it is, core ms a frame (cProfile, scaled to the time without it): {'; '.join(lines)}"]
    )


def measure(path: str, overrides: list[str], seconds: float, repeats: int) -> dict[str, Any]:
    """Core milliseconds a frame of each stage, round by round, and a profile of prepare and finish by function."""
    clip = clips_of(path, seconds)[0]
    loaded = load(overrides, clip)
    prepared = loaded.method.prepare(clip, decode(clip))
    inferred = loaded.infer(prepared)
    stages.finish_clip(loaded.point, loaded.method, prepared, inferred)  # compiled by now
    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: sum(1 for _ in decode(clip)),
        "prepare": lambda: loaded.method.prepare(clip, decode(clip)),
        "infer": lambda: loaded.infer(prepared),
        "finish": lambda: stages.finish_clip(loaded.point, loaded.method, prepared, inferred),
    }
    rounds: dict[str, Any] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            began = time.process_time()
            step()
            rounds[name].append(1000 * (time.process_time() - began) / clip.num_frames)
    profile = cProfile.Profile()
    profile.runcall(steps["prepare"])
    profile.runcall(steps["finish"])
    return {**rounds, "profile": {k: 1000 * v / clip.num_frames for k, v in own_seconds(profile).items()}}


def own_seconds(profile: cProfile.Profile) -> dict[str, float]:
    """Seconds of every function of this package, the most expensive first.

    What it calls in libraries counts as its own; compiled functions never show up and count as their caller's anyway.
    """
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]

    def is_ours(function: tuple[str, int, str]) -> bool:
        return "vss_ray" in function[0]

    pending = {function: row[2] for function, row in stats.items() if not is_ours(function)}
    own = {function: row[2] for function, row in stats.items() if is_ours(function)}
    for _ in range(20):  # up through the libraries, whose calls are nowhere deeper than that
        moved: dict[Any, float] = {}
        for function, seconds in pending.items():
            callers = stats[function][4]
            total = sum(row[3] for row in callers.values())
            for caller, row in callers.items():
                part = seconds * (row[3] / total if total else 1 / len(callers))
                target = own if is_ours(caller) else moved
                target[caller] = target.get(caller, 0.0) + part
        pending = moved
    named: dict[str, float] = {}
    for (path, _, name), seconds in own.items():
        label = f"{path.rpartition('vss_ray/')[2].removesuffix('.py')}.{name}"
        named[label] = named.get(label, 0.0) + seconds
    return dict(sorted(named.items(), key=lambda item: -item[1]))
