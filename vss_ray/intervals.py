"""Which pictures of a scanned clip become keyframes: the schedule decides, run by run."""

from __future__ import annotations

from vss_ray.ops.motion import Flow
from vss_ray.scan import Scan
from vss_ray.signals import Schedule, Signals


def choose_keyframes(scanned: Scan, schedule: Schedule, flow: Flow, *, closed: bool) -> list[list[int]]:
    """Keyframes of every run, ascending; the first picture of a run is always one.

    Args:
        scanned: The clip.
        schedule: Chooses.
        flow: What schedules measure motion with.
        closed: Make the last picture of every run a keyframe too, so that every picture lies between two.
    """
    keyframes = []
    for run in scanned.runs:
        planes = [scanned.planes[i] for i in run]
        seconds = scanned.picture_seconds[run.start : run.stop]
        chosen = schedule.choose(Signals(planes, seconds, flow))
        if closed and chosen[-1] != len(run) - 1:
            chosen = [*chosen, len(run) - 1]
        keyframes.append([run.start + i for i in chosen])
    return keyframes
