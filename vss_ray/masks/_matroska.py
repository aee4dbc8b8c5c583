"""Label maps as the luma of a lossless video in Matroska: what every mask codec shares.

Only plane 0 is ever read, row by row as it lies in memory: converting a decoded picture to "gray" stretches
limited-range values, which would turn classes into other classes. Time stamps are whole milliseconds, Matroska's unit.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count
from os import PathLike
from typing import IO, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from vss_ray.errors import ConfigError, VideoError

LabelMap = NDArray[np.uint8] | NDArray[np.uint16]
Source = bytes | str | PathLike[str] | IO[bytes]

MILLISECOND = Fraction(1, 1000)
CODECS = ("ffv1", "h264")
OPTIONS = {"max_pixels": str(2**29), "protocol_whitelist": "file"}
"""A label video may come with an OUT of somebody else; half a gigabyte a frame is beyond any."""
REMEDY = "delete the clip's commit record and run again to make it anew"
DEPTHS = {
    **dict.fromkeys(("gray", "yuv420p", "yuvj420p", "yuv444p", "yuvj444p"), np.dtype(np.uint8)),
    "gray16le": np.dtype("<u2"),
}
"""Pixel formats in which the luma is the label. x264 writes gray as such, or with constant chroma."""
ROUNDING = 64
DEEP = ("ffv1", {"level": "1", "coder": "1", "context": "0"})
"""Encoder and settings of 16-bit maps: FFV1's range coder, the only one here that holds them."""


@dataclass(frozen=True, kw_only=True)
class LabelVideo:
    """One lossless codec with its settings."""

    encoder: str
    options: Mapping[str, str]
    """Settings of the encoder, which 8-bit maps get; 16-bit ones are ``DEEP``."""
    keyframe_every: int
    """A frame is reached by decoding at most this many."""

    def writer(self, height: int, width: int, num_classes: int) -> Writer:
        """Begin a label video; see ``Writer``.

        Args:
            height: Pixels, any number.
            width: Pixels, any number.
            num_classes: Classes without void. Up to 255 the maps are 8-bit and 255 is void, past that 16-bit and 65535.

        Raises:
            ConfigError: So many classes cannot be held, or the codec is not part of this FFmpeg.
        """
        if not 1 <= num_classes <= 65535:
            raise ConfigError(f"masks: {num_classes} classes; a label video holds 1 to 65535")
        if num_classes > 255:
            return Writer(*DEEP, self.keyframe_every, height, width, np.dtype(np.uint16))
        return Writer(self.encoder, self.options, self.keyframe_every, height, width, np.dtype(np.uint8))

    def encode(self, labels: Iterable[LabelMap], milliseconds: Sequence[int] | None = None) -> bytes:
        """A whole label video at once; its depth is that of the maps.

        Args:
            labels: (H, W) maps, all uint8 or all uint16, at least one.
            milliseconds: Presentation time of each; None: 25 a second.
        """
        maps = iter(labels)
        first = next(maps)
        height, width = first.shape
        writer = self.writer(height, width, 255 if first.dtype == np.uint8 else 65535)
        times = count(0, 40) if milliseconds is None else milliseconds
        for ids, time in zip(chain([first], maps), times, strict=milliseconds is not None):
            writer.add(ids, time)
        return writer.finish()

    def decode(self, data: Source, shape: tuple[int, int] | None = None) -> Iterator[LabelMap]:
        """See ``decode``."""
        return decode(data, shape)

    def decode_frame(self, data: Source, index: int, shape: tuple[int, int] | None = None) -> LabelMap:
        """See ``decode_frame``."""
        return decode_frame(data, index, shape)


class Writer:
    """A label video that grows frame by frame; memory holds what is compressed and nothing else.

    The same maps at the same times give the same bytes.
    """

    def __init__(
        self, encoder: str, options: Mapping[str, str], keyframe_every: int, height: int, width: int, dtype: np.dtype
    ) -> None:
        self._shape, self._dtype = (height, width), dtype
        self._format = "gray" if dtype == np.uint8 else "gray16le"
        self._last = -1
        self._file = io.BytesIO()
        # Without bitexact the muxer writes a random UID and the library's version into every file.
        self._container = av.open(self._file, "w", format="matroska", container_options={"fflags": "+bitexact"})
        try:
            stream = self._container.add_stream(encoder, options={**options, "flags": "+bitexact"})
        except UnknownCodecError as error:
            raise ConfigError(f"masks: this FFmpeg has no {encoder}; set masks to another codec") from error
        self._stream = cast(av.VideoStream, stream)
        context = self._stream.codec_context
        context.height, context.width, context.pix_fmt = height, width, self._format
        context.gop_size = keyframe_every
        context.thread_count = 1
        context.color_range = ColorRange.JPEG
        context.time_base = MILLISECOND
        context.framerate = Fraction(0)  # or the file would claim 24 a second, whatever its time stamps say

    def add(self, ids: LabelMap, milliseconds: int) -> None:
        """Append one map.

        Args:
            ids: (H, W) of the writer's size and depth.
            milliseconds: Presentation time; moved up where it does not lie after the frame before.

        Raises:
            ValueError: Another size or dtype than the writer's.
        """
        if ids.shape != self._shape or ids.dtype != self._dtype:
            raise ValueError(f"wanted {self._dtype} maps of {self._shape}, got {ids.dtype} of {ids.shape}")
        self._last = max(int(milliseconds), self._last + 1)
        # The frame is a view of the map: encoders of one thread take what they need before encode returns.
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(ids), format=self._format)  # type: ignore[arg-type]
        frame.pts, frame.time_base = self._last, MILLISECOND
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """The file; the writer is spent.

        Raises:
            ValueError: No map was added.
        """
        if self._last < 0:
            raise ValueError("a label video of no frames; wanted at least one")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()


def decode(data: Source, shape: tuple[int, int] | None = None) -> Iterator[LabelMap]:
    """The maps of a label video in order, whichever codec wrote it.

    Args:
        data: The file's bytes, its local path, or a file object open for reading.
        shape: (H, W) that they must have, where it is known: then no more memory than that is taken for one, whatever
            the file says of itself.

    Yields:
        (H, W), uint8 or uint16, all alike, at least one.

    Raises:
        VideoError: It is no label video, or a damaged one.
    """
    first = None
    with _opened(data, shape) as (container, stream):
        for frame in container.decode(stream):
            ids = _plane(frame, data, shape if first is None else first.shape)
            if first is not None and ids.dtype != first.dtype:
                raise _damaged(data, f"has maps of {first.dtype} and of {ids.dtype}")
            first = ids if first is None else first
            yield ids
    if first is None:
        raise _damaged(data, "has no frames")


def decode_frame(data: Source, index: int, shape: tuple[int, int] | None = None) -> LabelMap:
    """One map by its number; decodes from the codec keyframe before it, what comes earlier is only stepped over.

    Args:
        data: As for ``decode``.
        index: From 0.
        shape: As for ``decode``.

    Raises:
        IndexError: There are not that many.
        VideoError: It is no label video, or a damaged one.
    """
    if index < 0:
        raise IndexError(f"frame {index} of a label video; frames count from 0")
    seen = 0
    with _opened(data, shape) as (container, stream):
        needed: list[av.Packet] = []
        for packet in container.demux(stream):
            if packet.size == 0:  # the demuxer's sign that the file is over
                break
            needed = [packet] if packet.is_keyframe else [*needed, packet]
            seen += 1
            if seen > index:
                context = stream.codec_context
                frames = [frame for each in (*needed, None) for frame in context.decode(each)]
                if not frames:
                    raise _damaged(data, f"has nothing to show at frame {index}")
                return _plane(frames[-1], data, shape)
    raise IndexError(f"frame {index} of a label video of {seen}; frames count from 0")


@contextmanager
def _opened(data: Source, shape: tuple[int, int] | None) -> Iterator[tuple[InputContainer, av.VideoStream]]:
    # Decoders round sizes up before they look at the limit.
    bound = {} if shape is None else {"max_pixels": str((shape[0] + ROUNDING) * (shape[1] + ROUNDING))}
    options = OPTIONS | bound
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        with av.open(file, "r", format="matroska", metadata_errors="replace", options=options) as container:
            if not container.streams.video:
                raise _damaged(data, "has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None or stream.codec_context.codec.canonical_name not in CODECS:
                raise _damaged(data, f"is not one of {' or '.join(CODECS)}")
            stream.codec_context.options = options
            stream.codec_context.thread_count = 1
            yield container, stream
    except FFmpegError as error:
        raise _damaged(data, f"cannot be decoded: {error.strerror or type(error).__name__}") from error


def _plane(frame: av.VideoFrame, data: Source, shape: tuple[int, ...] | None) -> LabelMap:
    if frame.format.name not in DEPTHS:
        raise _damaged(data, f"has pixels of {frame.format.name}, wanted gray ones")
    plane = frame.planes[0]
    if shape not in (None, (plane.height, plane.width)):
        raise _damaged(data, f"has a map of {plane.width}x{plane.height}, wanted {shape[1]}x{shape[0]}")
    pixels = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]
    rows = pixels.reshape(plane.height, plane.line_size).view(DEPTHS[frame.format.name])
    return rows[:, : plane.width].copy()


def _damaged(data: Source, what: str) -> VideoError:
    name = data if isinstance(data, str | PathLike) else getattr(data, "name", "in memory")
    return VideoError(f"label video {name} {what}; {REMEDY}")
