"""The videos of a run as the manifest has them, with names that are fit to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from vss_ray.printable import printable


@dataclass(frozen=True, kw_only=True)
class VideoEntry:
    """One video of the run."""

    video_id: str
    source: str
    name: str
    """Path relative to SOURCE, fit to be shown: what cannot be printed is replaced."""
    seconds: float
    num_frames: int
    width: int
    height: int
    size_bytes: int
    num_clips: int
    num_done: int
    """Clips whose masks are there and in the tables."""
    first_row: int
    """Of its clips in the sorted manifest."""


def entries(manifest: pa.Table, done: dict[str, int], source: str) -> list[VideoEntry]:
    """One entry a video.

    Args:
        manifest: Sorted by video and start.
        done: How many clips of each video are done.
        source: SOURCE; names are relative to it.
    """
    if not len(manifest):
        return []
    of_row = manifest["video_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.concatenate([[0], np.flatnonzero(np.diff(of_row)) + 1])
    last = np.append(first[1:], len(manifest)) - 1
    columns = ("video_id", "source", "width", "height", "size_bytes")
    heads, ends = manifest.select(columns).take(first).to_pylist(), manifest.select(("stop", "stop_seconds")).take(last)
    return [
        VideoEntry(
            **head,
            name=printable(_relative(head["source"], source)),
            seconds=end["stop_seconds"],
            num_frames=end["stop"],
            num_clips=int(behind - begin + 1),
            num_done=done.get(head["video_id"], 0),
            first_row=int(begin),
        )
        for head, end, begin, behind in zip(heads, ends.to_pylist(), first, last, strict=True)
    ]


def _relative(path: str, source: str) -> str:
    folder = source.rstrip("/") + "/"
    return path.removeprefix(folder) if path.startswith(folder) else PurePosixPath(path).name or path
