"""What a video is, from its packets: how many frames, when each is shown, and where decoding can start.

A frame's number is the rank of its packet's presentation time among the packets that will be shown.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vss_ray.clips import Video, video_id
from vss_ray.errors import VideoError
from vss_ray.media import timeline
from vss_ray.media.archive import ArchiveEntry
from vss_ray.media.container import demux, open_video
from vss_ray.media.fields import FieldPairs
from vss_ray.media.timeline import Unit

log = logging.getLogger(__name__)

SHOWN = 0x10
"""Bit of a VP8 frame's first byte (RFC 6386, 9.1); WebM stores reference frames that are not shown as packets too."""
NOT_CODED = 8
"""Bytes that an MPEG-4 picture saying "as before" takes at most; any other takes a bit for each macroblock."""


def probe(entry: ArchiveEntry) -> Video:
    """Read all packets of a video; of its frames only the first is decoded.

    That one frame gives the rotation, which PyAV does not tell of a stream, and the size that decoding really yields.

    Raises:
        VideoError: The file is empty, encrypted, not video, or no frame of it decodes.
        StorageError: It is missing, or its storage fails.
    """
    if entry.size_bytes == 0:
        raise VideoError(f"{entry.url}: is empty (0 bytes); copy it again, or take it out")
    with open_video(entry.url) as (container, stream):
        units, picture = _read(entry.url, container, stream)
        shown = timeline.shown(units)
        if not shown:
            raise VideoError(f"{entry.url}: none of its {len(units)} packets is to be shown; take it out")
        # AVI stores no presentation times; with B-frames those that FFmpeg makes up are in order of decoding.
        timeless = container.format.name == "avi" and _reorders(stream)
        packets = () if timeless else timeline.by_time(units, shown)
        rotation = round(picture.rotation / 90) % 4 * 90
        sideways = rotation in (90, 270)
        return Video(
            video_id=video_id(entry.relative_path),
            source=entry.url,
            size_bytes=entry.size_bytes,
            width=picture.height if sideways else picture.width,
            height=picture.width if sideways else picture.height,
            rotation=rotation,
            codec=stream.codec_context.codec.canonical_name,
            num_frames=len(shown),
            duration_seconds=_duration(stream, [units[i] for i in packets], len(shown)),
            pts=tuple(units[i].pts or 0 for i in packets),
            packets=packets,
            time_base=float(stream.time_base or 0),
            codec_keyframes=timeline.codec_keyframes(units, packets),
        )


def _read(source: str, container: InputContainer, stream: VideoStream) -> tuple[list[Unit], VideoFrame]:
    """All packets that hold data, and the first frame."""
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    pairs = FieldPairs(stream)
    units: list[Unit] = []
    picture, trouble = None, "no error was told"
    encrypted = container.format.name == "asf" and "encryption" in container.metadata
    try:
        for packet in demux(container, stream):
            if encrypted or packet.has_sidedata("encryption_info"):
                raise VideoError(f"{source}: is encrypted (DRM); wanted a file that plays without a key")
            units.append(_unit(packet, stream, second_field=pairs.is_second(packet)))
            if picture is None:
                picture, trouble = _decoded(stream, packet, trouble)
    except InvalidDataError as error:
        log.warning("%s: only its first %d packets can be read (%s)", source, len(units), error.strerror)
    if picture is None:
        picture, trouble = _decoded(stream, None, trouble)
    if picture is None:
        raise VideoError(
            f"{source}: none of its {len(units)} packets decodes ({trouble}); try a player, or take it out"
        )
    if units[-1].corrupt:
        log.warning("%s: is cut short; its last packet is left out", source)
    return units, picture


def _decoded(stream: VideoStream, packet: Packet | None, trouble: str) -> tuple[VideoFrame | None, str]:
    try:
        return next(iter(stream.decode(packet)), None), trouble
    except FFmpegError as error:
        return None, str(error.strerror)


def _unit(packet: Packet, stream: VideoStream, *, second_field: bool) -> Unit:
    return Unit(
        pts=packet.pts,
        dts=packet.dts,
        duration=packet.duration or 0,
        key=packet.is_keyframe and not second_field,
        shown=not (second_field or packet.is_discard or _is_hidden(packet, stream)),
        corrupt=packet.is_corrupt,
    )


def _is_hidden(packet: Packet, stream: VideoStream) -> bool:
    """Whether the packet decodes to no picture."""
    if stream.codec_context.name == "vp8":
        return not memoryview(packet)[0] & SHOWN
    # With B-frames it stands for the second picture that an earlier packet holds.
    small = packet.size <= NOT_CODED and stream.width * stream.height > 128 * 128
    return small and stream.codec_context.name == "mpeg4" and not _reorders(stream)


def _reorders(stream: VideoStream) -> bool:
    return bool(stream.codec_context.has_b_frames)


def _duration(stream: VideoStream, ordered: Sequence[Unit], count: int) -> float:
    """Seconds to the end of the last frame; by the stream's mean rate where the frames have no times."""
    average = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    if not ordered:
        return count * average
    time_base = float(stream.time_base or 0)
    span = ((ordered[-1].pts or 0) - (ordered[0].pts or 0)) * time_base
    return span + (ordered[-1].duration * time_base or (span / (count - 1) if count > 1 else average))
