"""The frames of a run that somebody wants, video by video and clip by clip, with labels and, where asked, pixels.

A clip's frame numbers are those of its record, never counted: a clip of the coarse pass holds only the frames that its
rows name. Memory holds one clip's record and its compressed masks; masks and pictures are decoded one at a time, once.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, repeat
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError, VideoError
from vss_ray.frames import Frame
from vss_ray.index.search import search
from vss_ray.masks._matroska import LabelMap
from vss_ray.masks._matroska import decode as decode_masks
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import decode
from vss_ray.run import Run
from vss_ray.storage.commit import committed, read_mask, read_record
from vss_ray.storage.location import Location

FACTS = ("pts_seconds", "is_keyframe", "key_distance", "unreliable", "area", "tracks")
"""Columns of a frame's row that exports may tell; the last one is that of objects, which lack those in between."""

Of = Literal["classes", "objects", "things"]
"""What masks hold: classes, or ids of objects, those pointed at or those found; see ``index.tracks``."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is wanted of a run."""

    video_id: str | None = None
    """Only this video."""
    where: str | None = None
    """Only the frames inside the spans that this query finds."""
    every: int = 1
    """Of so many frames of a video, numbered from 0, the first one that is wanted."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every is {self.every}; wanted 1 (all frames) or more")


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame."""

    name: str
    """Unique in the run, and safe as the name of a file."""
    frame: int
    """Number in the video."""
    span: int
    """Which span of the query it lies in, from 0 in each video; 0 where there is no query."""
    pts_seconds: float
    ids: LabelMap | None
    """(H, W) class per pixel, or object, 0 where there is none; None: its clip is not done."""
    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB; None where no pixels were asked for."""
    facts: dict[str, Any]
    """``FACTS`` of its row in the record; empty where the clip is not done."""


@dataclass(frozen=True, eq=False)
class Piece:
    """The wanted frames of one clip, at least one."""

    location: Location
    clip: Clip
    numbers: NDArray[np.int64]
    """(n,) in the video, ascending."""
    spans: NDArray[np.int64]
    """(n,) see ``Sample.span``."""
    row: dict[str, Any] | None
    """Of the clip in its record; None: the clip is not done."""
    frames: pa.Table | None
    """All frame rows of the clip, wanted or not."""

    @property
    def names(self) -> list[str]:
        """``Sample.name`` of each."""
        return [f"{self.clip.video_id}_{number:09d}" for number in self.numbers]

    @property
    def digest(self) -> str:
        """Changes when the masks do, or the choice of frames."""
        content = f"{self.row and self.row['mask_sha256']} {self.numbers.tolist()} {self.spans.tolist()}"
        return hashlib.sha256(content.encode()).hexdigest()

    def samples(self, pixels: bool) -> Iterator[Sample]:
        """The frames in order; each mask and picture is decoded as it is reached.

        Raises:
            VideoError: The source changed since it was processed, or a mask is damaged.
            StorageError: The source or a mask cannot be read.
        """
        if self.row is None or self.frames is None:
            for name, number, span, frame in zip(self.names, self.numbers, self.spans, self._pictures(), strict=True):
                image = frame.rgb(self.clip.height, self.clip.width) if pixels else None
                yield Sample(name, int(number), int(span), frame.pts_seconds, None, image, {})
            return
        places = np.flatnonzero(np.isin(self.frames["frame"].to_numpy(), self.numbers))
        masks = enumerate(decode_masks(read_mask(self.location, self.row), (self.row["height"], self.row["width"])))
        masks = _chosen(masks, places.tolist(), self.row["mask_path"])
        pictures = self._pictures() if pixels else repeat(None)
        columns = [name for name in FACTS if name in self.frames.column_names]
        facts = self.frames.select(columns).take(places).to_pylist()
        rest = zip(self.names, self.numbers, self.spans, facts, masks, strict=True)
        for (name, number, span, row, ids), picture in zip(rest, pictures, strict=False):
            image = None if picture is None else picture.rgb(self.clip.height, self.clip.width)
            yield Sample(name, int(number), int(span), row["pts_seconds"], ids, image, row)

    def _pictures(self) -> Iterator[Frame]:
        wanted = self.numbers.tolist()
        is_coarse = set(self.clip.coarse_frames) >= set(wanted)  # then nothing else needs decoding
        frames = (decode_coarse if is_coarse else decode)(self.clip)
        return _chosen(((frame.number, frame) for frame in frames), wanted, self.clip.source)


class Walk:
    """A way through a run."""

    def __init__(self, run: Run, selection: Selection, of: Of = "classes") -> None:
        """Ask the index where to go; nothing is decoded yet.

        Raises:
            ConfigError: There is no such video, or no objects.
            QueryError: ``where`` cannot be understood.
            StorageError: OUT cannot be read, or it has no tables to ask.
        """
        self.run, self.selection = run, selection
        self._clips = run.manifest().sort_by([("video_id", "ascending"), ("start", "ascending")])
        self._places: dict[str, tuple[int, int]] = {}
        first = 0
        for name, group in groupby(self._clips["video_id"].to_pylist()):
            count = sum(1 for _ in group)
            self._places[name] = (first, count)
            first += count
        if selection.video_id is not None:
            if selection.video_id not in self._places:
                known = ", ".join(list(self._places)[:20])
                raise ConfigError(f"no video {selection.video_id!r} in {run.location.root}; there is {known}")
            self._places = {selection.video_id: self._places[selection.video_id]}
        self.location = run.location if of == "classes" else Location.open(run.location.url(of))
        """Where masks and records are."""
        self._done = committed(self.location)
        if of != "classes" and not self._done:
            how = " --init FILE" if of == "objects" else ""
            raise ConfigError(f"{run.location.root} holds no {of} yet; run `vss track SOURCE OUT{how}` first")
        self._spans: dict[str, list[tuple[float, float]]] | None = None
        if selection.where is not None:
            self._spans = defaultdict(list)
            for hit in search(run.location, selection.where, run.taxonomy):
                self._spans[hit.video_id].append((hit.start, hit.end))

    @property
    def videos(self) -> list[str]:
        """Every video of which something may be wanted, sorted."""
        return [name for name in self._places if self._spans is None or name in self._spans]

    def last_frame(self, video_id: str) -> int:
        """The largest frame number that the plan knows."""
        first, count = self._places[video_id]
        return int(self._clips["stop"][first + count - 1].as_py()) - 1

    def source(self, video_id: str) -> str:
        """Path or URL of the file."""
        return str(self._clips["source"][self._places[video_id][0]].as_py())

    def pieces(self, video_id: str, unfinished: bool = False) -> Iterator[Piece]:
        """What is wanted of a video, clip by clip.

        Args:
            video_id: One of ``videos``.
            unfinished: With the clips that are not done, unless there is a query.
        """
        taken = -1
        first, count = self._places[video_id]
        for index in range(first, first + count):
            clip = Clip.from_row(self._clips.slice(index, 1).to_pylist()[0])
            row, frames = None, None
            if not self._may_hold(clip):
                continue
            if (clip.video_id, clip.clip_id) in self._done:
                row, frames = read_record(self.location, clip.video_id, clip.clip_id)
                numbers = frames["frame"].to_numpy()
                numbers, spans = self._inside(video_id, numbers, frames["pts_seconds"].to_numpy())
            elif unfinished and self._spans is None:
                numbers = np.arange(clip.start, clip.stop)
                spans = np.zeros(len(numbers), np.int64)
            else:
                continue
            slots, firsts = np.unique(numbers // self.selection.every, return_index=True)
            firsts = firsts[slots > taken]
            if len(firsts):
                taken = int(slots[-1])
                yield Piece(self.location, clip, numbers[firsts], spans[firsts], row, frames)

    def _may_hold(self, clip: Clip) -> bool:
        """Whether a span reaches into the clip: most records need not be read for a query."""
        if self._spans is None:
            return True
        return any(
            start <= clip.stop_seconds and end >= clip.start_seconds for start, end in self._spans[clip.video_id]
        )

    def _inside(
        self, video_id: str, numbers: NDArray[np.int64], seconds: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The frames that lie in a span, and which one that is; a span ends where its last frame does."""
        if self._spans is None:
            return numbers, np.zeros(len(numbers), np.int64)
        starts, ends = np.array(sorted(self._spans[video_id])).T
        span = np.searchsorted(starts, seconds, side="right") - 1
        # A video of a single frame has no duration: its span ends where it starts.
        inside = (span >= 0) & ((seconds < np.maximum.accumulate(ends)[span]) | (seconds == starts[span]))
        return numbers[inside], span[inside]


def _chosen(items: Iterable[tuple[int, T]], places: Sequence[int], name: str) -> Iterator[T]:
    """Of numbered items those at some places, ascending; what lies behind the last is never made."""
    wanted = iter(places)
    place = next(wanted, None)
    for index, item in items:
        if index == place:
            yield item
            place = next(wanted, None)
            if place is None:
                return
    if place is not None:
        raise VideoError(f"{name}: frame {place} is not there any more; it changed since the run, segment it again")
