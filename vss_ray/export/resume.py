"""What is there whole is not made again: exports go clip by clip, or video by video where one file holds a video.

A video that cannot be decoded any more stops neither the others nor the export.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from vss_ray.errors import ConfigError, VideoError
from vss_ray.export.folder import Folder
from vss_ray.export.walk import Piece, Walk


@dataclass(frozen=True, kw_only=True)
class Made:
    """One unit of an export."""

    video_id: str
    files: Sequence[str]
    """Relative to DEST."""
    frames: int
    reused: bool = False
    """It was there already."""
    error: str | None = None
    """Why it could not be made."""


def by_clip(
    walk: Walk, folder: Folder, files: Callable[[Piece], list[str]], write: Callable[[Piece], Any]
) -> Iterator[Made]:
    """Export every clip of a walk.

    Args:
        walk: What is wanted.
        folder: DEST.
        files: The names of a clip's files, known before they are made.
        write: Makes them; what it returns, plain values, is remembered beside them.
    """
    for video_id in walk.videos:
        for piece in walk.pieces(video_id):
            unit, names, count = piece.clip.clip_id, files(piece), len(piece.numbers)
            if folder.done(video_id, unit, piece.digest):
                yield Made(video_id=video_id, files=names, frames=count, reused=True)
                continue
            try:
                data = write(piece)
            except VideoError as error:
                yield Made(video_id=video_id, files=(), frames=0, error=str(error))
                continue
            folder.finish(video_id, unit, piece.digest, names, data)
            yield Made(video_id=video_id, files=names, frames=count)


def by_video(
    walk: Walk,
    folder: Folder,
    suffix: str,
    write: Callable[[str, Iterator[Piece], Path], None],
    unfinished: bool = False,
) -> Iterator[Made]:
    """Export every video of a walk as ``DEST/<video_id><suffix>``.

    Args:
        walk: What is wanted.
        folder: DEST, local.
        suffix: Of the file's name.
        write: Makes a video's file from its pieces.
        unfinished: With the clips that are not done.

    Raises:
        ConfigError: A file would replace its own source.
    """
    for video_id in walk.videos:
        name = f"{video_id}{suffix}"
        target = Path(folder.location.url(name))
        if target.exists() and target.resolve() == Path(walk.source(video_id)).resolve():
            raise ConfigError(f"{target} is the source itself; choose another folder")
        digest, count = sha256(), 0
        for piece in walk.pieces(video_id, unfinished):
            digest.update(piece.digest.encode())
            count += len(piece.numbers)
        if not count:
            continue
        if folder.done(video_id, "video", digest.hexdigest()):
            yield Made(video_id=video_id, files=[name], frames=count, reused=True)
            continue
        try:
            with folder.create(name) as path:
                write(video_id, walk.pieces(video_id, unfinished), path)
        except VideoError as error:
            yield Made(video_id=video_id, files=(), frames=0, error=str(error))
            continue
        folder.finish(video_id, "video", digest.hexdigest(), [name], None)
        yield Made(video_id=video_id, files=[name], frames=count)
