"""What a video is, from its packets: how many frames, when each is shown, and where decoding can start.

A frame's number is the rank of its packet's presentation time among the packets that will be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vss_ray.clips import Video, video_id
from vss_ray.errors import VideoError
from vss_ray.media import damage, timeline
from vss_ray.media.archive import ArchiveEntry
from vss_ray.media.complaints import overheard
from vss_ray.media.container import BEYOND, demux, open_video, video_streams
from vss_ray.media.limits import Limits
from vss_ray.media.timeline import Unit
from vss_ray.media.units import Units


def probe(entry: ArchiveEntry, limits: Limits = Limits()) -> Video:
    """Read all packets of a video; of its frames only the first is decoded.

    That one frame gives the rotation, which PyAV does not tell of a stream, and the size that decoding really yields.

    Args:
        entry: The file.
        limits: Of what it may ask for.

    Raises:
        VideoError: The file is empty, encrypted, not video, beyond the limits, or no frame of it decodes.
        StorageError: It is missing, or its storage fails.
    """
    if entry.size_bytes == 0:
        raise VideoError(f"{entry.url}: is empty (0 bytes); copy it again, or take it out")
    with open_video(entry.url, limits) as (container, stream):
        read = _read(entry.url, container, stream, limits)
        units, picture = read.units, read.picture
        shown = timeline.shown(units)
        if not shown:
            raise VideoError(f"{entry.url}: none of its {len(units)} packets is to be shown; take it out")
        # AVI stores no presentation times; with B-frames those that FFmpeg makes up are in order of decoding.
        timeless = container.format.name == "avi" and read.reorders
        packets = () if timeless else timeline.by_time(units, shown)
        rotation = round(picture.rotation / 90) % 4 * 90
        sideways = rotation in (90, 270)
        duration = _duration(stream, [units[i] for i in packets], len(shown))
        _check(entry.url, "seconds", duration, limits.seconds)
        return Video(
            video_id=video_id(entry.relative_path),
            source=entry.url,
            size_bytes=entry.size_bytes,
            width=picture.height if sideways else picture.width,
            height=picture.width if sideways else picture.height,
            rotation=rotation,
            sample_aspect_ratio=_ratio(stream.sample_aspect_ratio, sideways),
            stream_index=stream.index,
            num_video_streams=len(video_streams(container)),
            codec=stream.codec_context.codec.canonical_name,
            num_frames=len(shown),
            duration_seconds=duration,
            pts=tuple(units[i].pts or 0 for i in packets),
            packets=packets,
            time_base=float(stream.time_base or 0),
            codec_keyframes=timeline.codec_keyframes(units, packets),
            damage=(
                *damage.of_ends(container, stream, units, shown),
                *damage.of_times(units, shown, timed=timeless or bool(packets)),
                *damage.of_places(packets or shown, read.complaints),
            ),
        )


@dataclass
class _Read:
    """What all packets tell."""

    units: list[Unit]
    picture: VideoFrame
    """The first frame."""
    reorders: bool
    complaints: list[tuple[int, str]]
    """How many packets had been read when the demuxer complained, and of what."""


def _read(source: str, container: InputContainer, stream: VideoStream, limits: Limits) -> _Read:
    """All packets that hold data, and the first frame."""
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    _check(source, "frames", stream.frames, limits.frames)
    kept = Units(stream)
    units: list[Unit] = []
    complaints: list[tuple[int, str]] = []
    picture, trouble = None, "no error was told"
    encrypted = container.format.name == "asf" and "encryption" in container.metadata
    with overheard() as told:
        try:
            for packet in demux(container, stream):
                if encrypted or packet.has_sidedata("encryption_info"):
                    raise VideoError(f"{source}: is encrypted (DRM); wanted a file that plays without a key")
                units.append(kept.of(packet))
                _check(source, "frames", len(units), limits.frames)
                if picture is None:
                    picture, trouble = _decoded(stream, packet, trouble, told)
                if told:
                    complaints += _by_demuxer(container, told, len(units))
        except InvalidDataError as error:
            complaints.append((len(units), str(error.strerror)))
        complaints += _by_demuxer(container, told, len(units))
        if picture is None:
            picture, trouble = _decoded(stream, None, trouble, told)
    if picture is None and BEYOND in trouble:
        raise VideoError(
            f"{source}: its frames are beyond the limit of {limits.pixels:,} pixels ({trouble}); take it out, or --set "
            "limits.pixels where that is true"
        )
    if picture is None:
        raise VideoError(
            f"{source}: none of its {len(units)} packets decodes ({trouble}); try a player, or take it out"
        )
    return _Read(units, picture, kept.reorders, complaints)


def _by_demuxer(container: InputContainer, told: list[tuple[int, str, str]], position: int) -> list[tuple[int, str]]:
    """Complaints so far, those of parsers and decoders left out."""
    complaints = [(position, " ".join(what.split())) for _, name, what in told if name == container.format.name]
    told.clear()
    return complaints


def _check(source: str, limit: str, got: float, most: float) -> None:
    if got > most:
        raise VideoError(
            f"{source}: has {got:,.0f} {limit} or more, the limit is {most:,.0f}; take it out, or --set limits.{limit}="
            f"{2 * most:.0f} where that is true"
        )


def _decoded(
    stream: VideoStream, packet: Packet | None, trouble: str, told: list[tuple[int, str, str]]
) -> tuple[VideoFrame | None, str]:
    """The first frame, or what is in its way."""
    try:
        return next(iter(stream.decode(packet)), None), trouble
    except FFmpegError as error:
        return None, " ".join(told[-1][2].split()) if told else str(error.strerror)


def _ratio(ratio: Fraction | None, sideways: bool) -> str | None:
    if not ratio:
        return None
    upright = 1 / ratio if sideways else ratio
    return f"{upright.numerator}:{upright.denominator}"


def _duration(stream: VideoStream, ordered: Sequence[Unit], count: int) -> float:
    """Seconds to the end of the last frame; by the stream's mean rate where the frames have no times."""
    average = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    if not ordered:
        return count * average
    time_base = float(stream.time_base or 0)
    span = ((ordered[-1].pts or 0) - (ordered[0].pts or 0)) * time_base
    return span + (ordered[-1].duration * time_base or (span / (count - 1) if count > 1 else average))
