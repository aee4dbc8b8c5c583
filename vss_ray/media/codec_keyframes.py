"""The frames that the coarse pass looks at: the codec keyframes of a clip, exactly as decoding all of it gives them.

Each keyframe is decoded alone: its packets, and then the decoder is emptied. Packets in between are not decoded, and
where the container knows its keyframes (MP4, Matroska) not even read. A keyframe that does not come out of that (a
packet is marked where decoding cannot really start, or is damaged) is taken from the decoding of the whole clip, as is
the first frame of a clip that begins inside a long group, and everything of a file without usable times.

FFmpeg's own way, ``skip_frame=NONKEY``, must be fed every packet of the file to drop most, and drops the second field
of an interlaced keyframe too where that is predicted from the first.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vss_ray.clips import Clip
from vss_ray.frames import Frame
from vss_ray.media.container import demux, open_video
from vss_ray.media.decode import DecodeStats, decode, size_changed
from vss_ray.media.fields import FieldPairs
from vss_ray.media.limits import Limits
from vss_ray.media.seek import BEGINNING, STARTS, MissedError, Start, reached

INDEXED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
"""Containers in which a jump to the next keyframe costs less than reading on to it."""


def decode_coarse(
    clip: Clip, *, stats: DecodeStats | None = None, limits: Limits = Limits()
) -> Generator[Frame, None, None]:
    """The frames ``clip.coarse_frames`` that decode, one at a time, with the times and pixels that ``decode`` gives.

    Args:
        clip: As planned from the packets of the same file.
        stats: Counts are added to it.
        limits: Frames that are larger are not decoded.

    Raises:
        SizeChangedError: One has another size than the clip.
        VideoError: None of them decodes.
        StorageError: The file is missing, or its storage fails.
    """
    stats = DecodeStats() if stats is None else stats
    left = list(clip.coarse_frames)
    for frame in _alone(clip, stats, limits):
        if frame.size != (clip.height, clip.width):
            raise size_changed(clip, frame)
        left.remove(frame.number)
        yield stats.give(frame)
    if left:
        yield from _among_all(clip, left, stats, limits)


def _among_all(clip: Clip, left: list[int], stats: DecodeStats, limits: Limits) -> Iterator[Frame]:
    """Those that are left, from the whole clip; it is decoded no further than to the last of them."""
    counts = DecodeStats()
    try:
        for frame in decode(clip, stats=counts, limits=limits):
            if frame.number in left:
                yield stats.give(frame)
            if frame.number >= left[-1]:
                break
    finally:
        stats.decoded += counts.decoded


def _alone(clip: Clip, stats: DecodeStats, limits: Limits) -> Iterator[Frame]:
    """The first of them, as many as can be decoded alone."""
    at = clip.origin_pts if clip.seek_pts is None else clip.seek_pts
    if clip.first_pts != at:
        return
    # Of the starts only where they seek to matters here.
    for start in (BEGINNING,) if clip.seek_pts is None else [start for start in STARTS if not start.decode_all]:
        try:
            yield from _from(start, clip, stats, limits)
            return
        except MissedError:
            continue


def _from(start: Start, clip: Clip, stats: DecodeStats, limits: Limits) -> Iterator[Frame]:
    with open_video(clip.source, limits) as (container, stream):
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        pictures = _pictures(reached(container, stream, clip, start), stream)
        for number, pts in zip(clip.coarse_frames, clip.coarse_pts, strict=True):
            if pts != clip.first_pts and container.format.name in INDEXED:
                pictures = _pictures(_jumped(container, stream, pts), stream)
            packets = _found(pictures, pts)
            if packets is None and pts == clip.first_pts:
                raise MissedError
            picture = _decoded(stream, packets, stats) if packets else None
            if picture is None:
                return
            yield Frame(float((pts - clip.origin_pts) * (stream.time_base or 0)), picture, clip.rotation, number)


def _jumped(container: InputContainer, stream: VideoStream, pts: int) -> Iterator[Packet]:
    """Packets from a codec keyframe on; none where the container cannot seek."""
    try:
        container.seek(pts, stream=stream)
    except FFmpegError:
        return
    yield from demux(container, stream)


def _found(pictures: Iterable[list[Packet]], pts: int) -> list[Packet] | None:
    for packets in pictures:
        first = packets[0]
        if first.pts == pts and first.is_keyframe:
            return packets
        if first.dts is not None and first.dts > pts:  # nothing is decoded after it is shown
            return None
    return None


def _pictures(packets: Iterable[Packet], stream: VideoStream) -> Iterator[list[Packet]]:
    """Packets that belong to one picture; one packet is read ahead only where there can be second fields."""
    fields = FieldPairs(stream)
    picture: list[Packet] = []
    for packet in packets:
        if not fields.applies:
            yield [packet]
        elif fields.is_second(packet) and picture:
            picture.append(packet)
        else:
            if picture:
                yield picture
            picture = [packet]
    if picture:
        yield picture


def _decoded(stream: VideoStream, packets: list[Packet], stats: DecodeStats) -> VideoFrame | None:
    """The picture of these packets alone; None where the decoder gives none, or doubts it."""
    stats.decoded += len(packets)
    try:
        found = [picture for packet in (*packets, None) for picture in stream.decode(packet)]
    except FFmpegError:
        return None
    stream.codec_context.flush_buffers()
    whole = (picture for picture in found if picture.pts == packets[0].pts and not picture.is_corrupt)
    return next(whole, None)
