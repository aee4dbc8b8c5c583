"""Cutting videos into clips at codec keyframes, so that no frame is decoded twice.

A clip ends at the codec keyframe nearest to the wanted length. A group of pictures that is longer than
``clips.LONGEST`` times that length is the exception: it is cut inside, and every part is decoded from the beginning
of the group.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from vss_ray.clips import LONGEST, Clip, Video
from vss_ray.errors import ConfigError


def plan_clips(video: Video, seconds: float = 10.0) -> list[Clip]:
    """Clips that tile ``[0, video.num_frames)``, in order.

    None is shorter than half of ``seconds``, except where codec keyframes leave no choice or the video is.

    Args:
        video: As probed.
        seconds: Wanted length of a clip.

    Raises:
        ConfigError: ``seconds`` is not positive.
    """
    if not seconds > 0:
        raise ConfigError(f"length of a clip: got {seconds} seconds; wanted more than 0, such as 10")
    times, order = _times(video), sorted(video.packets)
    cuts = pairwise(_cuts(times, video.codec_keyframes, seconds))
    return [_clip(video, times, order, start, stop) for start, stop in cuts]


def with_known_parts(planned: Iterable[Clip], before: Iterable[Clip]) -> list[Clip]:
    """The plan, with clips of an earlier plan in place of those that they tile: where sizes change is found out once.

    Args:
        planned: Of the files as they are.
        before: Those of files that are not as long any more are passed over.
    """
    known = {(clip.video_id, clip.source, clip.size_bytes, clip.start): clip for clip in before}
    found: list[Clip] = []
    for clip in planned:
        parts, at = [], clip.start
        while at < clip.stop and (part := known.get((clip.video_id, clip.source, clip.size_bytes, at))):
            parts.append(part)
            at = part.stop
        found += parts if at == clip.stop else [clip]
    return found


def _times(video: Video) -> list[float]:
    """(N + 1) seconds since the first frame: of every frame, and of the end."""
    if not video.pts:
        return [video.duration_seconds * frame / video.num_frames for frame in range(video.num_frames + 1)]
    return [*((pts - video.pts[0]) * video.time_base for pts in video.pts), video.duration_seconds]


def _cuts(times: Sequence[float], keyframes: Sequence[int], seconds: float) -> Iterator[int]:
    ends = [*keyframes, len(times) - 1]
    end_times = [times[end] for end in ends]
    at = 0
    yield ends[at]
    while at + 1 < len(ends):
        following = _next(end_times, at, seconds)
        yield from _inside(times, ends[at], ends[following], LONGEST * seconds)
        yield ends[following]
        at = following


def _next(times: Sequence[float], at: int, seconds: float) -> int:
    """Which of the places to cut, given by their times, comes after place ``at``."""
    begin, end = times[at], len(times) - 1
    low = bisect_left(times, begin + seconds / 2, at + 1)
    high = bisect_right(times, begin + LONGEST * seconds, at + 1) - 1
    if low > high:  # a long group, or the end, comes before half the length is full
        return max(low - 1, at + 1)
    best = min(max(bisect_left(times, begin + seconds, at + 1), low), high)
    if best > low and begin + seconds - times[best - 1] <= times[best] - begin - seconds:
        best -= 1
    return end if times[end] - times[best] < seconds / 2 and end <= high else best


def _inside(times: Sequence[float], start: int, stop: int, longest: float) -> Iterator[int]:
    """Where to cut what has no codec keyframe to cut at: parts of equal length, none longer than ``longest``."""
    step = (times[stop] - times[start]) / max(math.ceil((times[stop] - times[start]) / longest), 1)
    while (start := bisect_left(times, times[start] + step, start + 1, stop)) < stop:
        if times[stop] - times[start] < step / 2:
            return
        yield start


def _clip(video: Video, times: Sequence[float], order: Sequence[int], start: int, stop: int) -> Clip:
    keyframe = video.codec_keyframes[bisect_right(video.codec_keyframes, start) - 1]
    # Packets in front of the first shown one must be decoded too, so frame 0 means the beginning of the file.
    from_packet = video.packets[keyframe] if keyframe else 0
    inside = slice(bisect_right(video.codec_keyframes, start), bisect_left(video.codec_keyframes, stop))
    coarse = (start, *video.codec_keyframes[inside])
    return Clip(
        video_id=video.video_id,
        source=video.source,
        size_bytes=video.size_bytes,
        width=video.width,
        height=video.height,
        rotation=video.rotation,
        start=start,
        stop=stop,
        start_seconds=times[start],
        stop_seconds=times[stop],
        first_pts=video.pts[start] if video.pts else None,
        last_pts=video.pts[stop - 1] if video.pts else None,
        origin_pts=video.pts[0] if video.pts else 0,
        seek_pts=video.pts[keyframe] if keyframe else None,
        num_packets=_end(order, max(video.packets[start:stop])) - from_packet if video.packets else stop,
        coarse_frames=coarse,
        coarse_pts=tuple(video.pts[frame] for frame in coarse) if video.pts else (),
        sample_aspect_ratio=video.sample_aspect_ratio,
        stream_index=video.stream_index,
        num_video_streams=video.num_video_streams,
        damaged="; ".join(each.what for each in video.damage if each.start < stop and start < each.stop) or None,
    )


def _end(order: Sequence[int], packet: int) -> int:
    """Where the next frame's packet begins: until there lies what else this picture takes, such as its second field."""
    following = bisect_right(order, packet)
    return order[following] if following < len(order) else packet + 2
