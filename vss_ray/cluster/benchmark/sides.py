"""What a user would write, this project on every frame, and its operating point, side by side.

Variants are interleaved, every run has a process and a Ray of its own. Frames a second count from the first clip's
decoding to the last commit, less the loading of networks, for all three; what comes before is the start, told apart.
The two slow variants run on the beginning of the same file: their speed does not depend on its length.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.alone import alone
from vss_ray.cluster.benchmark.archives import Archive, archive
from vss_ray.cluster.benchmark.figures import RATIO, Figure, Result, ratios
from vss_ray.cluster.benchmark.job import job
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.cluster.summary import STAGES

TITLE = "Side by side"
USER, PER_FRAME, EVS = "user", "per_frame", f"evs, every {limits.EVERY}"
OVER_USER = {"default": 30.0, "larger": 40.0}
OVER_PER_FRAME = {"default": 4.0, "larger": 7.0}
"""Goals, of 11 classes at the sizes that follow."""
SIZES_OVER_USER, SIZES_OVER_PER_FRAME = ("480x360", "1280x720"), ("1280x720",)


def run(settings: Settings) -> Result:
    """All archives, all networks."""
    found, notes = [], []
    for name in settings.archives:
        shown = archive(settings, name)
        floor = limits.measure(settings, archive(settings, name, settings.sizes.alone))
        for network in settings.networks:
            rounds = _rounds(settings, shown, network)
            found += figures(name, f"{shown.width}x{shown.height}, {network}", network, rounds)
            notes.append(f"{shown.width}x{shown.height}, {network}: {bottleneck(rounds[EVS], floor, network)}")
        notes.append(f"{shown.width}x{shown.height}: {shown.origin}.")
    sizes = settings.sizes
    notes.append(
        f"Lengths: evs ran on all {sizes.archive:g} s or more, user on the first {sizes.user:g} s, per_frame on the "
        f"first {sizes.per_frame:g} s of the same file."
    )
    return Result(found, notes)


def _rounds(settings: Settings, shown: Archive, network: str) -> dict[str, list[dict[str, float]]]:
    overrides, out = settings.of_network(network), settings.work / "sides"
    slow = archive(settings, shown.name, settings.sizes.user, whole=False)
    fast = archive(settings, shown.name, settings.sizes.per_frame, whole=False)
    rounds: dict[str, list[dict[str, float]]] = {USER: [], PER_FRAME: [], EVS: []}
    for number in range(settings.rounds):
        settings.tell(f"sides: {shown.name}, {network} network, round {number + 1} of {settings.rounds}")
        shutil.rmtree(out, ignore_errors=True)
        rounds[USER].append(alone(user, str(slow.path), str(out), overrides, time.time()))
        rounds[PER_FRAME].append(job(fast.path, out, "per_frame", overrides))
        rounds[EVS].append(job(shown.path, out, "evs", [*overrides, limits.AT_EVERY]))
    return rounds


def user(source: str, out: str, overrides: list[str], spawned: float) -> dict[str, float]:
    """What a user would write, here and now; the keys of ``job.run`` that it can tell."""
    from vss_ray import config
    from vss_ray.cluster.benchmark import naive
    from vss_ray.cluster.session import connect

    costs = naive.run([source], Path(out), config.load("per_frame", overrides), connect(None).cpus)
    frames = costs["frames"]
    return {
        "frames": frames,
        "frames_per_second": frames / costs["seconds"],
        "start_seconds": costs["first"] - spawned,
        "total_seconds": costs["first"] + costs["seconds"] - spawned,
        **{f"{stage}_ms": 1000 * costs[stage] / frames for stage in STAGES},
        "core_ms": 1000 * sum(costs[stage] for stage in STAGES) / frames,
        "busy_cores": sum(costs[stage] for stage in STAGES) / costs["seconds"],
        "peak_memory_bytes": costs["peak_memory_bytes"],
    }


def figures(name: str, case: str, network: str, rounds: dict[str, list[dict[str, float]]]) -> list[Figure]:
    """A row for each variant, from the costs of its runs; goals by the archive's and the network's names."""
    figures = []
    for variant, runs in rounds.items():

        def of(key: str, scale: float = 1.0, runs: list[dict[str, float]] = runs) -> tuple[float, ...]:
            return tuple(run[key] * scale for run in runs)

        row = f"{case}: {variant}"
        figures.append(Figure(case=row, name="speed", unit="frames/s", values=of("frames_per_second")))
        if variant != USER:
            over = ratios(of("frames_per_second"), (run["frames_per_second"] for run in rounds[USER]))
            goal = OVER_USER.get(network) if variant == EVS and name in SIZES_OVER_USER else None
            figures.append(Figure(case=row, name="over user", unit=RATIO, values=over, goal=goal))
        if variant == EVS:
            over = ratios(of("frames_per_second"), (run["frames_per_second"] for run in rounds[PER_FRAME]))
            goal = OVER_PER_FRAME.get(network) if name in SIZES_OVER_PER_FRAME else None
            figures.append(Figure(case=row, name="over per_frame", unit=RATIO, values=over, goal=goal))
        for stage in (*STAGES, "core"):
            shown = "all" if stage == "core" else stage
            figures.append(Figure(case=row, name=shown, unit="core ms", values=of(f"{stage}_ms"), better="less"))
        figures += [
            Figure(case=row, name="busy", unit="cores", values=of("busy_cores")),
            Figure(case=row, name="largest process", unit="GB", values=of("peak_memory_bytes", 1e-9), better="less"),
            Figure(case=row, name="start", unit="s", values=of("start_seconds"), better="less"),
        ]
    return figures


def bottleneck(runs: list[dict[str, float]], floor: dict[str, Any], network: str) -> str:
    """The stage that costs most in the last round, and how far it is from what the machine allows."""
    run = runs[-1]
    costs = {stage: run[f"{stage}_ms"] for stage in STAGES}
    stage = max(costs, key=lambda stage: costs[stage])
    text = f"evs spends most in {stage}, {costs[stage]:.2f} of {run['core_ms']:.2f} core ms a frame"
    if stage == "infer":
        pictures = run["network_pictures"] / run["frames"]
        least = 1000 * pictures / max(floor["networks"][network]["pictures_per_second"])
        return f"{text}: {costs[stage] / least:.2f} times the network alone"
    decode, flow = min(floor["decode_ms"]), min(floor["prepare_ms"])
    return (
        f"{text}; decoding alone is {decode:.2f}, decoding and flow {flow:.2f}: prepare is "
        f"{costs['prepare'] / flow:.2f} times its own without Ray, all {run['core_ms'] / decode:.1f} times decoding; "
        f"{run['busy_cores']:.2f} cores were busy"
    )
