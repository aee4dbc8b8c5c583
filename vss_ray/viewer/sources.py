"""The video files themselves: handed to the browser in ranges, and what a browser can be expected to make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import IO

import fsspec.core
from starlette.responses import Response, StreamingResponse

from vss_ray.media.container import open_video
from vss_ray.media.remote import is_remote, open_remote, storage_error, storage_errors

BLOCK = 256 * 1024
"""Bytes sent at once."""
RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)

PLAYED = {
    "mp4": ({"h264", "vp9", "av1", "hevc"}, "video/mp4"),
    "mov": ({"h264", "vp9", "av1", "hevc"}, "video/mp4"),
    "webm": ({"vp8", "vp9", "av1"}, "video/webm"),
    "matroska": ({"vp8", "vp9", "av1", "h264"}, "video/webm"),
}
"""By container: the codecs that some browser plays, and the type to tell it."""
EIGHT_BIT = ("yuv420p", "yuvj420p")
"""Pixel formats of H.264 that every browser decodes."""


@dataclass(frozen=True)
class Playability:
    """What to expect of a browser; it has the last word."""

    media_type: str
    time_base: float
    """Seconds per unit of the stream's times."""
    reason: str = ""
    """Why it will not play, for people; empty: it should."""


@lru_cache(maxsize=4096)
def playability(source: str, size_bytes: int) -> Playability:
    """Judge a file by its container, codec and pixel format; nothing is decoded. ``size_bytes`` tells versions apart.

    Raises:
        StorageError: The file cannot be read.
        VideoError: It is no video any more.
    """
    with open_video(source) as (container, stream):
        names = container.format.name.split(",")
        time_base = float(stream.time_base or 0)
        codec, pixels = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt
    name = next((name for name in ("mp4", "mov", "webm", "matroska") if name in names), names[0])
    codecs, media_type = PLAYED.get(name, (set(), "application/octet-stream"))
    if codec not in codecs:
        return Playability(
            media_type, time_base, f"browsers do not play {codec} in {container.format.long_name or name}"
        )
    if codec == "h264" and pixels not in EIGHT_BIT:
        return Playability(media_type, time_base, f"browsers do not play H.264 with {pixels} pixels")
    return Playability(media_type, time_base)


def size(source: str) -> int:
    """Bytes of a source file as it is now.

    Raises:
        StorageError: It cannot be looked up.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(source) if is_remote(source) else (fsspec.filesystem("file"), source)
        return int(filesystem.info(path)["size"] or 0)
    except storage_errors() as error:
        raise storage_error(source, error) from error


def respond(source: str, media_type: str, wanted: str | None, *, is_head: bool = False) -> Response:
    """A file, or the range of it that a request asks for.

    Args:
        source: From the manifest.
        media_type: For the browser.
        wanted: The Range header. One range is understood; whatever is no range gives the whole file, as RFC 9110 has
            it, and one that begins behind the end gives 416.
        is_head: Nothing of the file is read.

    Raises:
        StorageError: The file cannot be read.
    """
    total = size(source)
    headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=0", "ETag": f'"{total:x}"'}
    match = RANGE.fullmatch(wanted.strip()) if wanted else None
    status, start, stop = 200, 0, total
    if match is not None:
        status, (start, stop) = 206, _span(match, total)
        if start >= stop:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{total}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    headers["Content-Length"] = str(stop - start)
    blocks = () if is_head else _blocks(source, start, stop)
    return StreamingResponse(blocks, status, headers, media_type=media_type)


def _span(match: re.Match[str], total: int) -> tuple[int, int]:
    first, last, suffix = match.groups()
    if suffix is not None:
        return max(total - int(suffix), 0) if int(suffix) else total, total
    stop = total if not last else min(int(last) + 1, total)
    return (int(first), stop)


def _blocks(source: str, start: int, stop: int) -> Iterator[bytes]:
    try:
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(open_remote(source) if is_remote(source) else open(source, "rb"))  # type: ignore[assignment]  # noqa: SIM115
            file.seek(start)
            while start < stop and (block := file.read(min(BLOCK, stop - start))):
                start += len(block)
                yield block
    except storage_errors() as error:
        raise storage_error(source, error) from error
