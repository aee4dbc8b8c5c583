"""A clip whose frames change size inside it, cut where they do.

Packets do not tell (an MPEG-TS joined from two recordings, VP9 that scales from one frame to the next), so ``decode``
notices, and the clip is then looked at from end to end once.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from vss_ray.clips import Clip
from vss_ray.errors import VideoError
from vss_ray.media.decode import decode
from vss_ray.media.limits import Limits

MOST = 32
"""Parts of one clip; each is decoded from the clip's beginning."""


def parts(clip: Clip, limits: Limits = Limits()) -> list[Clip]:
    """Clips that tile ``[clip.start, clip.stop)``, each with the size of its own frames.

    Args:
        clip: As planned.
        limits: Frames that are larger are not decoded.

    Raises:
        VideoError: No frame decodes, or the size changes all the time.
        StorageError: The file is missing, or its storage fails.
    """
    frames = decode(clip, limits=limits, any_size=True)
    seen = [_Seen(*frame.size, frame.number, frame.pts_seconds, frame.picture.pts) for frame in frames]
    stretches = [list(alike) for _, alike in groupby(seen, lambda each: (each.height, each.width))]
    if len(stretches) > MOST:
        raise VideoError(
            f"{clip.source}: its frames change size {len(stretches) - 1} times between number {clip.start} and "
            f"{clip.stop}, the most is {MOST - 1}; transcode it to one size"
        )
    firsts = [stretch[0] for stretch in stretches]
    firsts[0] = firsts[0]._replace(number=clip.start, seconds=clip.start_seconds, pts=clip.first_pts)
    stops = [*((first.number, first.seconds) for first in firsts[1:]), (clip.stop, clip.stop_seconds)]
    lasts = [*(stretch[-1].pts for stretch in stretches[:-1]), clip.last_pts]
    return [_part(clip, *ends) for ends in zip(firsts, stops, lasts, strict=True)]


class _Seen(NamedTuple):
    """What is kept of a frame."""

    height: int
    width: int
    number: int
    seconds: float
    pts: int | None


def _part(clip: Clip, first: _Seen, stop: tuple[int, float], last_pts: int | None) -> Clip:
    """Decoded as ``clip`` is, from its codec keyframe on; other frames come out of that, and are passed over."""
    timed = clip.first_pts is not None
    if timed and (first.pts is None or last_pts is None):
        raise VideoError(
            f"{clip.source}: its frames change size at number {first.number}, without a time; transcode it"
        )
    inside = [i for i, frame in enumerate(clip.coarse_frames) if first.number < frame < stop[0]]
    return replace(
        clip,
        height=first.height,
        width=first.width,
        start=first.number,
        start_seconds=first.seconds,
        stop=stop[0],
        stop_seconds=stop[1],
        first_pts=first.pts if timed else None,
        last_pts=last_pts if timed else None,
        coarse_frames=(first.number, *(clip.coarse_frames[i] for i in inside)),
        coarse_pts=(first.pts or 0, *(clip.coarse_pts[i] for i in inside)) if timed else (),
    )
