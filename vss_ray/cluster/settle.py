"""In which precision a run computes, where that is found out on keyframes of its archive: int8 and ``measured``.

Done once, when OUT is begun. What was found out stands in run.json, graphs in int8 in OUT/network.int8: every worker
and every later start uses those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError
from rich.console import Console

from vss_ray import config, precision
from vss_ray.clips import Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.pipeline import frequent_sizes
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError, VssError
from vss_ray.media.decode import decode
from vss_ray.run import INT8, content_of
from vss_ray.storage.location import Location

FOUND_OUT = ("int8", "measured")


@dataclass(frozen=True)
class Settled:
    """An operating point whose precision is known."""

    point: OperatingPoint
    notes: dict[str, Any] = field(default_factory=dict)
    """For run.json: what was found out."""


def settle(
    location: Location,
    point: OperatingPoint,
    planned: Callable[[], Sequence[Clip]],
    console: Console,
    attempts: Attempts | None = None,
) -> Settled:
    """Find out what is to be found out, and store the graphs that come of it; a run that is there has settled it.

    Args:
        location: OUT.
        point: Resolved.
        planned: Gives the clips; asked only where there is something to find out.
        console: Told what was chosen.
        attempts: Told which clips are worked on; None: counted here alone.

    Raises:
        ConfigError: See ``precision.calibrate`` and ``choose``.
        ModelError: The network cannot be loaded.
    """
    wanted = getattr(point.segmenter.config, "precision", None)
    if wanted not in FOUND_OUT:
        return Settled(point)
    before = content_of(location)
    if before is not None and wanted == "measured":
        stored = config.from_dict(before["operating_point"]).segmenter.config
        return Settled(precision.settled(point, getattr(stored, "precision", wanted)))
    if before is not None:
        return Settled(point)
    clips = planned()
    if wanted == "measured":
        pictures = sampled(clips, precision.PICTURES, attempts)
        choice = _found_out(_choose, point, pictures, frequent_sizes(clips))
        console.print(str(choice), highlight=False)
        calibrated, point, notes = choice.calibrated, precision.settled(point, choice.precision), choice.to_dict()
    else:
        pictures = sampled(clips, precision.PICTURES // 2, attempts)  # the other half is for judging
        calibrated = _found_out(_calibrate, point, pictures, frequent_sizes(clips))
        notes = {"calibrated_on": len(pictures)}
    if calibrated is not None:
        location.write(INT8, calibrated)
    return Settled(point, {"precision": notes})


def sampled(clips: Sequence[Clip], count: int, attempts: Attempts | None = None) -> list[NDArray[np.uint8]]:
    """``count`` frames, RGB (H, W, 3), spread evenly over clips, and within clips where there are fewer of those.

    Clips that cannot be decoded give none, nor do those whose decoding kills its worker or never ends.
    """
    attempts = attempts or Attempts()
    places = np.unique(np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int))
    each = -(-count // max(1, len(places)))
    return list(chain(*ray.get([_decoded.remote(clips[place], each, attempts) for place in places])))[:count]


def _found_out(task: Any, *arguments: Any) -> Any:
    """What a task of Ray gives; torch, NNCF and the 1.5 GB that they take stay out of this process."""
    try:
        return ray.get(task.remote(*arguments))
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, VssError) else error from None
    except (WorkerCrashedError, OutOfMemoryError) as error:
        raise ModelError(
            "segmenter.precision: the worker that was to find it out died again and again, most likely because memory "
            "ran out; give it more, or take bf16 or fp32"
        ) from error


_calibrate = ray.remote(num_cpus=1)(precision.calibrate)
_choose = ray.remote(num_cpus=1)(precision.choose)


@ray.remote(num_cpus=1, max_retries=-1)
def _decoded(clip: Clip, count: int, attempts: Attempts) -> list[NDArray[np.uint8]]:
    wanted = {round(place) for place in np.linspace(0, clip.num_frames - 1, count + 1)[:-1]}
    pictures = []
    try:
        with attempts.on("prepare", [clip]):
            for number, frame in enumerate(decode(clip)):
                if number in wanted:
                    pictures.append(frame.rgb(*frame.size))
                if number >= max(wanted):
                    break
    except (VssError, OSError):  # the run itself will tell
        pass
    return pictures
