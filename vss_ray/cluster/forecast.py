"""What the whole of an archive takes, computed from what a frame of it costs: hours, and cores to a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from vss_ray.cluster.summary import STAGES

Size = tuple[int, int]
"""(height, width) of frames."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Of frames of one size."""

    height: int
    width: int
    frames: int
    """On which it was measured."""
    pictures_per_frame: float
    """Share of frames that the network sees."""
    device: str
    """Of the second stage."""
    prepare_seconds: float
    """Of one core, a frame; so are the next two."""
    infer_seconds: float
    finish_seconds: float
    infer_clock_seconds: float
    """By the clock, a frame: how long the device of the second stage is taken up."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Of a whole archive."""

    frames: int
    core_hours: dict[str, float]
    """By stage; where a GPU is to do it, ``infer`` is what that takes of the CPU beside it, 0 if never measured."""
    gpu_hours: float | None
    """None: no GPU here, and none told."""
    cores_per_gpu: float | None
    """CPU cores of ``prepare`` and ``finish`` that keep one GPU busy."""


def gpu_seconds(costs: Costs, gpu_pictures_per_second: float | None) -> float | None:
    """What a frame takes of a GPU: by the speed that is told, else as measured on one, else unknown."""
    if gpu_pictures_per_second is not None:
        return costs.pictures_per_frame / gpu_pictures_per_second
    return costs.infer_clock_seconds if costs.device.startswith("cuda") else None


def cores_per_gpu(costs: Costs, gpu_pictures_per_second: float | None) -> float | None:
    """CPU cores that keep one GPU busy with frames of this size."""
    busy = gpu_seconds(costs, gpu_pictures_per_second)
    return (costs.prepare_seconds + costs.finish_seconds) / busy if busy else None


def forecast(
    measured: Sequence[Costs], frames: Mapping[Size, int], gpu_pictures_per_second: float | None = None
) -> Forecast:
    """Of an archive.

    Args:
        measured: One for each size, at least one; a size that is missing costs what the nearest in pixels does.
        frames: Of the archive, by size.
        gpu_pictures_per_second: Pictures that one GPU labels a second, of the size that the network sees; None: as
            measured.
    """
    seconds = dict.fromkeys(STAGES, 0.0)
    busy: float | None = 0.0
    for (height, width), count in frames.items():
        costs = min(measured, key=lambda each: abs(each.height * each.width - height * width))
        seconds["prepare"] += count * costs.prepare_seconds
        seconds["finish"] += count * costs.finish_seconds
        on_gpu = gpu_seconds(costs, gpu_pictures_per_second)
        if on_gpu is None or costs.device.startswith("cuda"):  # else a GPU will do it, and was not seen at it
            seconds["infer"] += count * costs.infer_seconds
        busy = None if on_gpu is None or busy is None else busy + count * on_gpu
    return Forecast(
        frames=sum(frames.values()),
        core_hours={stage: spent / 3600 for stage, spent in seconds.items()},
        gpu_hours=None if busy is None else busy / 3600,
        cores_per_gpu=(seconds["prepare"] + seconds["finish"]) / busy if busy else None,
    )


def report(
    measured: Sequence[Costs], frames: Mapping[Size, int], gpu_pictures_per_second: float | None
) -> dict[str, Any]:
    """Plain values for ``--json``: what was measured, with each size's ratio, and the forecast."""
    sizes = [{**asdict(each), "cores_per_gpu": cores_per_gpu(each, gpu_pictures_per_second)} for each in measured]
    whole = asdict(forecast(measured, frames, gpu_pictures_per_second))
    return {"sizes": sizes, **whole, "gpu_pictures_per_second": gpu_pictures_per_second}


def table(content: dict[str, Any], cores: int) -> Table:
    """``report`` as people read it.

    Args:
        content: Of ``report``.
        cores: Of the machines that would do the work.
    """
    columns = ("frames", "measured", "network sees", *(f"{stage}, core ms" for stage in STAGES), "cores a GPU")
    result = Table(*columns, title="a frame costs here")
    for size in content["sizes"]:
        per_stage = [f"{1000 * size[f'{stage}_seconds']:.2f}" for stage in STAGES]
        ratio = "unknown" if size["cores_per_gpu"] is None else f"{size['cores_per_gpu']:.1f}"
        seen = f"{size['pictures_per_frame']:.1%}"
        result.add_row(f"{size['width']}x{size['height']}", str(size["frames"]), seen, *per_stage, ratio)
    hours = sum(content["core_hours"].values())
    result.caption = f"the whole archive: {hours:.3g} core hours, {hours / cores:.3g} h on {cores} cores"
    if content["gpu_hours"] is None:
        result.caption += "; no GPU here: --gpu-pictures-per-second N says how many cores would keep one busy"
    else:
        result.caption += f", and {content['gpu_hours']:.3g} GPU hours; "
        result.caption += f"{content['cores_per_gpu']:.1f} cores keep one GPU busy"
    return result
