"""Writing a video from pictures, one after the other."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import IO, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vss_ray.errors import VideoError

HD = 720
"""Height from which on players take a silent file for BT.709; the file says it, so that none has to guess."""
BT709, BT601 = 1, 6
"""Matrix coefficients of ISO/IEC 23091-2."""


def write_video(
    target: str | os.PathLike[str] | IO[bytes],
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: Fraction | float = 25,
    codec: str = "libx264",
    gop: int = 12,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    container: str | None = None,
) -> int:
    """Encode RGB pictures as they come, in constant memory and with one thread.

    Args:
        target: Path, or a file open for writing, which needs ``container``.
        frames: (H, W, 3) uint8, all of one size; odd sizes need a ``pix_fmt`` whose chroma is not subsampled.
        fps: Frames per second.
        codec: FFmpeg's name of the encoder.
        gop: Frames from one codec keyframe to the next, at most.
        pix_fmt: Pixel format of the file.
        options: The encoder's own.
        pts: Presentation time of every frame in units of ``time_base``, ascending; one apart where absent.
        time_base: Seconds per unit of ``pts``; ``1 / fps`` where absent.
        container: FFmpeg's name of the file format; by the suffix of ``target`` where absent.

    Returns:
        How many frames were written.

    Raises:
        VideoError: There is no frame, or the encoder refuses them.
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise VideoError(f"{target}: there is no frame to write; wanted at least one")
    height, width = first.shape[:2]
    rate = Fraction(fps).limit_denominator(1001)
    unit = time_base or 1 / rate
    matrix = (BT709, Colorspace.ITU709) if height >= HD else (BT601, Colorspace.ITU601)
    written = 0
    try:
        with av.open(target, "w", format=container) as output:
            stream = cast(VideoStream, output.add_stream(codec, rate=rate, options=options or {}))
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
            context = stream.codec_context
            context.time_base, context.gop_size, context.thread_count = unit, gop, 1
            if pix_fmt.startswith("yuv"):
                context.colorspace = matrix[0]
            for number, image in enumerate(itertools.chain([first], pictures)):
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                picture = picture.reformat(format=pix_fmt, dst_colorspace=matrix[1], threads=1)
                picture.pts, picture.time_base = number if pts is None else pts[number], unit
                output.mux(stream.encode(picture))
                written += 1
            output.mux(stream.encode(None))
    except FFmpegError as error:
        raise VideoError(
            f"{target}: {codec} cannot write {width}x{height} pixels as {pix_fmt} ({error.strerror}); 4:2:0 wants even"
            " sizes, and the folder must be there"
        ) from error
    return written
