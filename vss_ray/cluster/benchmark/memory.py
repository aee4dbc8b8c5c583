"""The largest process and the object store, and whether either grows with the length of a video.

The store is asked ten times a second how much it holds. Beside it stands what it would hold if frames travelled through
it: full-size RGB of all frames of the clips that are in flight at once, from the beginning of a clip's decoding to its
commit.
"""

from __future__ import annotations

from vss_ray.cluster.benchmark import limits
from vss_ray.cluster.benchmark.archives import archive
from vss_ray.cluster.benchmark.figures import SHARE, Figure, Result, length
from vss_ray.cluster.benchmark.job import job
from vss_ray.cluster.benchmark.settings import Settings

TITLE = "Memory"


def run(settings: Settings) -> Result:
    """At 1280x720 where that is among the archives: 10 s, ten minutes, and with ``long`` an hour."""
    name = "1280x720" if "1280x720" in settings.archives else settings.archives[0]
    figures, peaks = [], []
    lengths = settings.sizes.lengths if settings.long else settings.sizes.lengths[:-1]
    for seconds in lengths:
        shown = archive(settings, name, seconds, whole=False)
        settings.tell(f"memory: {name}, {length(seconds)}")
        overrides = [*settings.overrides, limits.AT_EVERY]
        found = job(shown.path, settings.work / "memory", "evs", overrides, store=True)
        peaks.append(found["peak_memory_bytes"])
        case = f"{shown.width}x{shown.height}, {length(seconds)}"
        frames = found["frames_in_flight"] * shown.width * shown.height * 3
        figures += [
            _less(case, "largest process", "GB", found["peak_memory_bytes"] / 1e9, 1.5),
            _less(case, "object store", "MB", found["store_bytes"] / 1e6),
            _less(case, "frames in flight", "MB", frames / 1e6),
            _less(case, "store of frames", SHARE, found["store_bytes"] / frames, 0.25 if name == "1280x720" else None),
        ]
    case = f"{length(lengths[0])} to {length(lengths[-1])}"
    figures.append(_less(case, "process grows by", SHARE, max(peaks) / peaks[0] - 1, 0.1))
    return Result(figures)


def _less(case: str, name: str, unit: str, value: float, goal: float | None = None) -> Figure:
    return Figure(case=case, name=name, unit=unit, values=(value,), better="less", goal=goal)
