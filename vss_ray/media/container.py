"""Opening a file of the archive, local or remote, and choosing the stream that is the video."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import av
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from vss_ray.errors import VideoError
from vss_ray.media.formats import opening
from vss_ray.media.limits import Limits
from vss_ray.media.remote import RemoteFile, is_remote, open_remote, storage_error, storage_errors

NOT_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
NOT_THERE = (errno.ENOENT, errno.EACCES, errno.EISDIR)
READ = 1 << 18
"""Bytes FFmpeg asks a remote file for at once."""


PADDING = 1 << 16
"""Pixels."""
BEYOND = "max pixel count"
"""Words of FFmpeg's where a frame is larger."""


@contextmanager
def open_video(source: str, limits: Limits = Limits()) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``source`` and yield the container and its best video stream; nothing is decoded.

    The best stream is the one with the largest picture, of equals the default one, and never cover art.

    Args:
        source: Path, or any URL that fsspec knows.
        limits: Decoders refuse larger frames, those that FFmpeg looks at while it opens the file among them.

    Raises:
        VideoError: It is not video, leads to other files, or is larger; also where that shows only while the body of
            the ``with`` reads on.
        StorageError: It is missing or not readable, or its storage fails while it is read.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(open_remote(source)) if is_remote(source) else source
            # Metadata in another encoding than it claims must not make a video unreadable.
            # FFmpeg counts what a codec pads pictures with, too; the header's size is held to the limit itself.
            options = {"max_pixels": str(limits.pixels + limits.pixels // 4 + PADDING)}
            container = stack.enter_context(_opened(source, file, options))
            stream = _best_stream(source, container)
            _check_size(source, stream, limits)
            stream.codec_context.options = options
            yield container, stream
    except FFmpegError as error:
        if error.errno in NOT_THERE:
            raise storage_error(source, error) from error
        raise VideoError(
            f"{source}: cannot be read as video ({error.strerror}); see whether a player opens it, or take it out"
        ) from error
    except storage_errors() as error:
        raise storage_error(source, error) from error


def _opened(source: str, file: str | RemoteFile, options: dict[str, str]) -> InputContainer:
    options = options | opening(is_remote=isinstance(file, RemoteFile))
    try:
        return av.open(file, "r", metadata_errors="replace", buffer_size=READ, options=options)
    except ArgumentError as error:  # what FFmpeg says of a format that it may not open
        raise VideoError(
            f"{source}: is a playlist, a script or another kind of file that holds no video itself; take it out, or "
            "name the videos that it leads to"
        ) from error


def demux(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets that hold data; an empty one would tell a decoder that the file ends."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except IndexError:  # PyAV, after the last packet, where a transport stream announced further streams on the way
        return


def video_streams(container: InputContainer) -> list[VideoStream]:
    """Those that are video, cover art not among them."""
    return [stream for stream in container.streams.video if not stream.disposition & NOT_VIDEO]


def _best_stream(source: str, container: InputContainer) -> VideoStream:
    streams = video_streams(container)
    if not streams:
        kinds = sorted({"cover art" if stream.type == "video" else stream.type for stream in container.streams})
        raise VideoError(f"{source}: has no video stream, only {', '.join(kinds) or 'an empty container'}; take it out")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise VideoError(f"{source}: there is no decoder for its video; transcode it, to H.264 for example")
    return max(known, key=lambda s: (s.width * s.height, bool(s.disposition & Disposition.default), -s.index))


def _check_size(source: str, stream: VideoStream, limits: Limits) -> None:
    if stream.width * stream.height > limits.pixels:
        raise VideoError(
            f"{source}: says that its frames are {stream.width}x{stream.height}, the limit is {limits.pixels:,} pixels;"
            f" take it out, or --set limits.pixels={stream.width * stream.height} where that is true"
        )
