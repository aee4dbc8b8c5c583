"""The frames of a clip, exactly: as many, the same and in the same order as decoding the whole file would give.

Decoding starts at the clip's codec keyframe, is fed the packets that the plan counted and no others, and gives out
the frames whose presentation times lie in the clip. Two things can go wrong with the start. A container may seek past
the keyframe (MPEG-TS seeks by order of decoding): then the search begins further in front. A packet may be marked as
a keyframe where decoding cannot really start (periodic intra refresh): then the first frame comes out late, and
decoding begins further in front. Both are noticed before a frame is given out.

Of a damaged file those frames are given out that decode, under their own numbers and times; ``DecodeStats`` tells what
was wrong.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vss_ray.clips import COARSE, FULL, Clip, Pass
from vss_ray.errors import VideoError
from vss_ray.floor import at_the_floor
from vss_ray.frames import Frame
from vss_ray.media.complaints import overheard
from vss_ray.media.container import open_video
from vss_ray.media.limits import Limits
from vss_ray.media.seek import BEGINNING, STARTS, MissedError, Start, packets
from vss_ray.media.units import Units

COLD = ("mmco", "reference")
"""Words of complaints that come of beginning in the middle of a file: pictures of the group before are to be forgotten,
and were never there. Where references are really missing, the decoder marks the frame."""


@dataclass
class DecodeStats:
    """What decoding took and met; counts add up over the clips that share one."""

    decoded: int = 0
    """Packets fed to the decoder."""
    numbers: list[int] = field(default_factory=list)
    """Of the frames given out."""
    interlaced: int = 0
    """Frames given out that are two fields."""
    concealed: int = 0
    """Frames given out of which the decoder says that parts are made up."""
    incomplete: int = 0
    """Packets of the frames asked for that the demuxer says are not whole."""
    complaints: list[str] = field(default_factory=list)
    """What the decoder said was wrong with them."""

    @property
    def delivered(self) -> int:
        """Frames given out."""
        return len(self.numbers)

    def give(self, frame: Frame) -> Frame:
        """Count a frame that is given out."""
        self.numbers.append(frame.number)
        self.interlaced += frame.picture.interlaced_frame
        self.concealed += frame.picture.is_corrupt
        return frame

    def met(self, clip: Clip, of_pass: Pass = FULL) -> dict[str, Any]:
        """Facts about a clip whose frames these are.

        ``damaged``: what was wrong, None if nothing was; ``interlaced``: whether there are fields; ``numbers``: of its
        frames, None if all decoded.
        """
        planned = len(clip.coarse_frames) if of_pass == COARSE else clip.num_frames
        notes = [*filter(None, (clip.damaged, self._damaged(planned)))]
        return {
            "damaged": "; ".join(notes) or None,
            "interlaced": self.interlaced > 0,
            "numbers": None if self.delivered == planned else self.numbers,
        }

    def _damaged(self, planned: int) -> str | None:
        missing = planned - self.delivered
        first, *others = self.complaints or [""]
        found = {
            f"{missing} of {planned} frames do not decode": missing,
            f"parts of {self.concealed} frames are made up by the decoder": self.concealed,
            f"{self.incomplete} packets are not whole": self.incomplete,
            f"the decoder complains: {first[:100]}" + (f" (and {len(others)} more)" if others else ""): first,
        }
        return "; ".join(what for what, is_so in found.items() if is_so) or None


class _LateError(Exception):
    """The first frame that comes out lies behind the clip's first."""


class SizeChangedError(VideoError):
    """A frame has another size than its clip: see ``media.parts``."""


def decode(
    clip: Clip,
    *,
    threads: int = 1,
    stats: DecodeStats | None = None,
    limits: Limits = Limits(),
    any_size: bool = False,
) -> Generator[Frame, None, None]:
    """The frames ``[clip.start, clip.stop)`` that decode, one at a time.

    Times are the file's own, never a count divided by a rate. Where a frame lacks its time, the frame before it and
    the clip's mean distance stand in; where the whole file has none that are usable (``clip.first_pts`` is None), the
    frames are spread evenly over the time of the clip.

    Args:
        clip: As planned from the packets of the same file.
        threads: Of the decoder.
        stats: Counts are added to it.
        limits: Frames that are larger are not decoded.
        any_size: Whether frames may have another size than the clip.

    Raises:
        SizeChangedError: One of them has.
        VideoError: None of them decodes.
        StorageError: The file is missing, or its storage fails.
    """
    stats = DecodeStats() if stats is None else stats
    late = False
    for start in (BEGINNING,) if clip.seek_pts is None else STARTS:
        if late and not start.decode_all:
            continue
        try:
            for frame in _decode_from(start, clip, threads, stats, limits):
                if not any_size and frame.size != (clip.height, clip.width):
                    raise size_changed(clip, frame)
                yield stats.give(frame)
            return
        except MissedError:
            continue
        except _LateError:
            late = True
    raise VideoError(f"{clip.source}: has no keyframe at {clip.seek_pts}; it changed since it was planned, plan again")


def _decode_from(start: Start, clip: Clip, threads: int, stats: DecodeStats, limits: Limits) -> Iterator[Frame]:
    delivered = 0
    with open_video(clip.source, limits) as (container, stream):
        decoder = _Decoder(stream, threads, clip, stats, () if start is BEGINNING else COLD)
        pictures = decoder.pictures(packets(container, stream, clip, start))
        frames = _by_count(clip, pictures) if clip.first_pts is None else decoder.by_time(pictures, start)
        for frame in islice(frames, clip.num_frames):
            delivered += 1
            yield frame
    if delivered:
        stats.incomplete += decoder.incomplete
        stats.complaints += decoder.complaints
        return
    if start is not BEGINNING:
        raise _LateError
    trouble = decoder.complaints[0] if decoder.complaints else "the decoder told no error"
    raise VideoError(
        f"{clip.source}: none of the {clip.num_frames} frames from number {clip.start} on can be decoded ({trouble});"
        " the file is damaged, copy it again or repair it"
    )


def size_changed(clip: Clip, frame: Frame) -> SizeChangedError:
    """What to raise of a frame that has another size than its clip."""
    height, width = frame.size
    return SizeChangedError(
        f"{clip.source}: frame {frame.number} is {width}x{height}, its clip {clip.width}x{clip.height}; "
        "cut the clip there, or transcode the file to one size"
    )


class _Decoder:
    """A decoder that passes over the packets it refuses, as players do, and remembers why."""

    def __init__(
        self, stream: VideoStream, threads: int, clip: Clip, stats: DecodeStats, ignored: Sequence[str]
    ) -> None:
        stream.thread_type = "NONE" if threads == 1 else "AUTO"  # type: ignore[assignment]
        stream.codec_context.thread_count = threads
        self._stream, self._clip, self._stats, self._ignored = stream, clip, stats, ignored
        self.incomplete, self.complaints = 0, list[str]()
        """As in ``DecodeStats``."""
        self._units = Units(stream)
        self._times: list[int] = []
        """Of the clip's pictures that were fed, ascending."""

    def pictures(self, fed: Iterable[Packet]) -> Iterator[VideoFrame]:
        """What comes out."""
        clip = self._clip
        for number, packet in enumerate(fed):
            unit = self._units.of(packet)
            self._stats.decoded += 1
            if clip.first_pts is None or clip.last_pts is None:
                is_asked = number >= clip.start
            elif unit.pts is None or not clip.first_pts <= unit.pts <= clip.last_pts:
                is_asked = False
            else:
                is_asked = True
                if unit.shown:
                    insort(self._times, unit.pts)
            self.incomplete += is_asked and unit.corrupt
            yield from self._decoded(packet, is_asked)
        yield from self._decoded(None, is_asked=False)

    def _decoded(self, packet: Packet | None, is_asked: bool) -> list[VideoFrame]:
        refused: list[str] = []
        with overheard() as told:
            try:
                with at_the_floor():
                    pictures = self._stream.decode(packet)
            except FFmpegError as error:
                pictures, refused = [], [str(error.strerror)]
        if is_asked:  # in front of the clip pictures refer to what was not decoded: complaints mean nothing there
            complaints = [" ".join(what.split()) for _, _, what in told] or refused
            self.complaints += [each for each in complaints if not any(word in each for word in self._ignored)]
        return pictures

    def by_time(self, pictures: Iterable[VideoFrame], start: Start) -> Iterator[Frame]:
        """Frames by their presentation time."""
        clip = self._clip
        first, last = clip.first_pts or 0, clip.last_pts or 0
        step = (last - first) / max(clip.num_frames - 1, 1)
        before: float | None = None
        is_running = start is BEGINNING
        for picture in pictures:
            pts = picture.pts
            if pts is None:
                if before is None:
                    continue
                pts = before + step
            # A decoder that has begun in front of the clip, and gives out pictures, has what it needs.
            is_running |= start.decode_all and pts < first
            if not first <= pts <= last:
                continue
            if before is None and pts > first and not is_running:
                raise _LateError
            if before is not None and pts <= before:
                raise VideoError(
                    f"{clip.source}: its frames come out in another order than their times say; transcode it"
                )
            before = pts
            seconds = float((pts - clip.origin_pts) * (self._stream.time_base or 0))
            yield Frame(seconds, picture, clip.rotation, clip.start + bisect_left(self._times, pts))


def _by_count(clip: Clip, pictures: Iterable[VideoFrame]) -> Iterator[Frame]:
    """Frames by their number in the file."""
    step = (clip.stop_seconds - clip.start_seconds) / clip.num_frames
    for number, picture in enumerate(islice(pictures, clip.start, clip.stop)):
        yield Frame(clip.start_seconds + number * step, picture, clip.rotation, clip.start + number)
