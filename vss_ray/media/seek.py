"""Ways to reach the codec keyframe that a clip starts from, and the packets that each of them feeds to a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from vss_ray.clips import Clip
from vss_ray.media.container import demux

FURTHER = 10.0
"""Seconds in front of the keyframe, for where seeking to it does not do."""


@dataclass(frozen=True)
class Start:
    """One way to reach the first frame of a clip."""

    earlier: float | None
    """Seconds in front of the codec keyframe to seek to; None: the beginning of the file."""
    decode_all: bool
    """Whether what is found in front of the codec keyframe is decoded rather than skipped."""


STARTS = (Start(0.0, False), Start(FURTHER, False), Start(None, False), Start(FURTHER, True), Start(None, True))
BEGINNING = STARTS[-1]


class MissedError(Exception):
    """The codec keyframe is not among the packets that follow a start."""


def packets(container: InputContainer, stream: VideoStream, clip: Clip, start: Start) -> Iterator[Packet]:
    """The packets to decode for a clip, in order.

    Args:
        container: Just opened.
        stream: Its video.
        clip: Whose ``num_packets`` are counted from its codec keyframe on; without times all packets are yielded.
        start: Where to begin.

    Raises:
        MissedError: The keyframe lies in front of the start.
    """
    demuxed = reached(container, stream, clip, start)
    if clip.first_pts is None:
        return demuxed
    if clip.seek_pts is None:
        return islice(demuxed, clip.num_packets)
    return _around_keyframe(demuxed, clip.seek_pts, clip.num_packets, decode_all=start.decode_all)


def _around_keyframe(demuxed: Iterator[Packet], pts: int, count: int, *, decode_all: bool) -> Iterator[Packet]:
    for packet in demuxed:
        if packet.pts == pts and packet.is_keyframe:
            yield packet
            yield from islice(demuxed, count - 1)
            return
        if packet.dts is not None and packet.dts > pts:  # nothing is decoded after it is shown: the keyframe is past
            break
        if decode_all:
            yield packet
    raise MissedError


def reached(container: InputContainer, stream: VideoStream, clip: Clip, start: Start) -> Iterator[Packet]:
    """All packets from a start on, to the end of the file.

    Raises:
        MissedError: The container cannot seek.
    """
    if clip.seek_pts is not None and start.earlier is not None:
        earlier = round(start.earlier / (stream.time_base or 1))
        try:
            container.seek(clip.seek_pts - earlier, stream=stream)
        except FFmpegError as error:  # not every container can seek
            raise MissedError from error
    yield from demux(container, stream)
