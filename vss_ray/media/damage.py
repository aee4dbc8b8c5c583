"""What packets alone tell of damage: fewer than the header promises, no beginning, times that run backwards."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from av.container import InputContainer
from av.video.stream import VideoStream

from vss_ray.clips import Damage
from vss_ray.media.timeline import Unit

MISSING = 1.0
"""Seconds that a header may promise beyond the last frame: Matroska's include how long that frame is shown."""


def of_ends(
    container: InputContainer, stream: VideoStream, units: Sequence[Unit], shown: Sequence[int]
) -> list[Damage]:
    """Of the first frame and of the last.

    Args:
        container: Read to its end.
        stream: Its video.
        units: All its packets.
        shown: Positions of those that become frames.
    """
    found = []
    if lost := sum(unit.shown for unit in units) - len(shown):
        found.append(Damage(0, 1, f"{lost} frames in front of the first codec keyframe cannot be decoded"))
    last = len(shown) - 1
    if stream.frames > len(units):
        what = f"cut short: {len(units)} of the {stream.frames} frames that the header promises are there"
        found.append(Damage(last, last + 1, what))
    ends = max(((unit.pts or 0) + unit.duration for unit in units), default=0) * float(stream.time_base or 0)
    promised = 0.0 if stream.frames else _promised_seconds(container, stream)
    if promised - ends > MISSING:
        what = f"cut short: it ends at {ends:.1f} s, the header promises {promised:.1f} s"
        found.append(Damage(last, last + 1, what))
    return found


def of_times(units: Sequence[Unit], shown: Sequence[int], *, timed: bool) -> list[Damage]:
    """Of all frames, where there are times that do not tell their order (``timed`` is False)."""
    if timed or all(units[i].pts is None for i in shown):
        return []
    return [Damage(0, len(shown), "times run backwards, stand twice or are missing: frames are spread evenly in time")]


def of_places(frames: Sequence[int], complaints: Sequence[tuple[int, str]]) -> list[Damage]:
    """Of the frames behind which the demuxer complained.

    Args:
        frames: Position of each frame's packet.
        complaints: How many packets had been read, and of what it complained.
    """
    rank = sorted(range(len(frames)), key=frames.__getitem__)
    order = [frames[frame] for frame in rank]
    places = ((rank[max(bisect_left(order, position) - 1, 0)], what) for position, what in complaints)
    return [Damage(frame, frame + 1, f"the demuxer complains: {what[:100]}") for frame, what in places]


def _promised_seconds(container: InputContainer, stream: VideoStream) -> float:
    """When the last frame ends, as Matroska's tags say, or the header of a file that holds nothing else; 0: untold."""
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())
        return 3600 * hours + 60 * minutes + seconds
    alone = len(container.streams) == 1
    return (container.duration or 0) / 1e6 if alone else 0.0
