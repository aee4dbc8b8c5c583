"""The frames of a clip, exactly: as many, the same and in the same order as decoding the whole file would give.

Decoding starts at the clip's codec keyframe, is fed the packets that the plan counted and no others, and gives out
the frames whose presentation times lie in the clip. Two things can go wrong with the start. A container may seek past
the keyframe (MPEG-TS seeks by order of decoding): then the search begins further in front. A packet may be marked as
a keyframe where decoding cannot really start (periodic intra refresh): then the first frame comes out late, and
decoding begins further in front. Both are noticed before a frame is given out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vss_ray.clips import Clip
from vss_ray.errors import VideoError
from vss_ray.frames import Frame
from vss_ray.media.container import open_video
from vss_ray.media.seek import BEGINNING, STARTS, MissedError, Start, packets


@dataclass
class DecodeStats:
    """What decoding took; counts add up over the clips that share one."""

    decoded: int = 0
    """Packets fed to the decoder."""
    delivered: int = 0
    """Frames given out."""


class _LateError(Exception):
    """The first frame that comes out lies behind the clip's first."""


def decode(clip: Clip, *, threads: int = 1, stats: DecodeStats | None = None) -> Generator[Frame, None, None]:
    """The frames ``[clip.start, clip.stop)``, one at a time.

    Times are the file's own, never a count divided by a rate. Where a frame lacks its time, the frame before it and
    the clip's mean distance stand in; where the whole file has none that are usable (``clip.first_pts`` is None), the
    frames are spread evenly over the time of the clip.

    Args:
        clip: As planned from the packets of the same file.
        threads: Of the decoder.
        stats: Counts are added to it.

    Raises:
        VideoError: Fewer frames decode than were planned; raised after those that do were given out.
        StorageError: The file is missing, or its storage fails.
    """
    stats = DecodeStats() if stats is None else stats
    late = False
    for start in (BEGINNING,) if clip.seek_pts is None else STARTS:
        if late and not start.decode_all:
            continue
        try:
            yield from _decode_from(start, clip, threads, stats)
            return
        except MissedError:
            continue
        except _LateError:
            late = True
    raise VideoError(f"{clip.source}: has no keyframe at {clip.seek_pts}; it changed since it was planned, plan again")


def _decode_from(start: Start, clip: Clip, threads: int, stats: DecodeStats) -> Iterator[Frame]:
    delivered = 0
    with open_video(clip.source) as (container, stream):
        decoder = _Decoder(stream, threads)
        pictures = decoder.pictures(packets(container, stream, clip, start), stats)
        frames = _by_count(clip, pictures) if clip.first_pts is None else _by_time(clip, pictures, stream, start)
        for frame in islice(frames, clip.num_frames):
            delivered += 1
            stats.delivered += 1
            yield frame
    if delivered == clip.num_frames:
        return
    if delivered == 0 and start is not BEGINNING:
        raise _LateError
    raise VideoError(
        f"{clip.source}: {delivered} of the {clip.num_frames} frames from number {clip.start} on can be decoded"
        f" ({decoder.trouble or 'the decoder told no error'}); the file is damaged, copy it again or repair it"
    )


class _Decoder:
    """A decoder that passes over the packets it refuses, as players do, and remembers why."""

    def __init__(self, stream: VideoStream, threads: int) -> None:
        stream.thread_type = "NONE" if threads == 1 else "AUTO"  # type: ignore[assignment]
        stream.codec_context.thread_count = threads
        self._stream = stream
        self.trouble: str | None = None

    def pictures(self, fed: Iterable[Packet], stats: DecodeStats) -> Iterator[VideoFrame]:
        for packet in chain(fed, [None]):
            stats.decoded += packet is not None
            yield from self._decoded(packet)

    def _decoded(self, packet: Packet | None) -> list[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except FFmpegError as error:
            self.trouble = self.trouble or error.strerror
            return []


def _by_count(clip: Clip, pictures: Iterable[VideoFrame]) -> Iterator[Frame]:
    """Frames by their number in the file."""
    step = (clip.stop_seconds - clip.start_seconds) / clip.num_frames
    for number, picture in enumerate(islice(pictures, clip.start, clip.stop)):
        yield Frame(clip.start_seconds + number * step, picture, clip.rotation)


def _by_time(clip: Clip, pictures: Iterable[VideoFrame], stream: VideoStream, start: Start) -> Iterator[Frame]:
    """Frames by their presentation time."""
    first, last = clip.first_pts or 0, clip.last_pts or 0
    step = (last - first) / max(clip.num_frames - 1, 1)
    before: float | None = None
    for picture in pictures:
        pts = picture.pts
        if pts is None:
            if before is None:
                continue
            pts = before + step
        if not first <= pts <= last:
            continue
        if before is None and pts > first and start is not BEGINNING:
            raise _LateError
        if before is not None and pts <= before:
            raise VideoError(f"{clip.source}: its frames come out in another order than their times say; transcode it")
        before = pts
        yield Frame(float((pts - clip.origin_pts) * (stream.time_base or 0)), picture, clip.rotation)
