"""The coarse pass against full decoding, on footage with a codec keyframe every 10 s.

*Decoding* compares what both must at least do: the keyframes' packets alone, or all of them. *The pass* is the whole
coarse pass, network and labels and all, of one core: so many times faster than the footage plays, and than decoding it.
"""

from __future__ import annotations

import time
from typing import Any

from vss_ray import stages
from vss_ray.cluster.benchmark.alone import ONE_THREAD, alone
from vss_ray.cluster.benchmark.archives import archive
from vss_ray.cluster.benchmark.figures import RATIO, Figure, Result, ratios
from vss_ray.cluster.benchmark.job import job
from vss_ray.cluster.benchmark.loaded import clips_of, load
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import decode

TITLE = "The coarse pass"
CLIP_SECONDS = 10.0
ROUNDS = 3
"""Passes over the file in one measurement: the keyframes alone are done in milliseconds."""


def run(settings: Settings) -> Result:
    """On the rendered ones of the archives; dash-cam footage has more keyframes."""
    names = [name for name in settings.archives if name != "1280x720"] or list(settings.archives)
    figures = []
    for name in names:
        shown = archive(settings, name)
        settings.tell(f"coarse: {name}")
        overrides = [*settings.overrides]
        found = alone(measure, str(shown.path), overrides, settings.repeats, environment=ONE_THREAD)
        case = f"{shown.width}x{shown.height}"
        full, keys, whole = (found[key] for key in ("full", "coarse", "pass"))
        playing = [found["seconds"]] * len(whole)
        figures += [
            Figure(
                case=case,
                name="full decoding",
                unit="core ms",
                values=tuple(1000 * each for each in full),
                better="less",
            ),
            Figure(
                case=case,
                name="coarse decoding",
                unit="core ms",
                values=tuple(1000 * each for each in keys),
                better="less",
            ),
            Figure(case=case, name="decoding over full", unit=RATIO, values=ratios(full, keys), goal=30.0),
            Figure(case=case, name="pass over real time", unit=RATIO, values=ratios(playing, whole), goal=30.0),
            Figure(case=case, name="pass over full decoding", unit=RATIO, values=ratios(full, whole)),
        ]
        ray = job(shown.path, settings.work / "coarse", "evs", [*overrides, "pass=coarse"])
        real = ray["video_seconds"] / ray["run_seconds"]
        figures.append(Figure(case=case, name="Ray job over real time", unit=RATIO, values=(real,)))
    return Result(figures)


def measure(path: str, overrides: list[str], repeats: int) -> dict[str, Any]:
    """Core seconds of decoding everything, of decoding codec keyframes, and of the whole coarse pass."""
    clips = clips_of(path, CLIP_SECONDS)
    loaded = load([*overrides, "pass=coarse"], clips[0])

    def whole_pass() -> None:
        for clip in clips:
            prepared = loaded.method.prepare(clip, decode_coarse(clip))
            stages.finish_clip(loaded.point, loaded.method, prepared, loaded.infer(prepared))

    whole_pass()  # compiles
    rounds: dict[str, list[float]] = {"full": [], "coarse": [], "pass": []}
    for _ in range(repeats):
        began = time.process_time()
        for clip in clips:
            for _ in decode(clip):
                pass
        full = time.process_time()
        for _ in range(ROUNDS):
            for clip in clips:
                for _ in decode_coarse(clip):
                    pass
        keys = time.process_time()
        whole_pass()
        rounds["full"].append(full - began)
        rounds["coarse"].append((keys - full) / ROUNDS)
        rounds["pass"].append(time.process_time() - keys)
    return {**rounds, "seconds": clips[-1].stop_seconds}
