"""What the pages list: the videos of a run, planned and done; read once, and again when OUT changes."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Sequence

import pyarrow as pa

from vss_ray.clips import Clip
from vss_ray.index.tables import PATHS, connect
from vss_ray.run import MANIFEST, Run
from vss_ray.viewer.entries import VideoEntry, entries
from vss_ray.viewer.summaries import Summaries
from vss_ray.viewer.timelines import Timeline, timelines

FRESH_SECONDS = 5.0
"""So long it is taken for granted that OUT has not changed; asking costs four requests where it is in S3."""
COLUMNS = 96
"""Of a timeline in the list."""
FEW_FRAMES = 500_000
"""Up to so many in the whole run, timelines are averaged from frames."""


class Archive:
    """The videos of a run at one moment, by name."""

    def __init__(self, run: Run, version: int = 0) -> None:
        """Read the manifest and the list of what is done; ``version`` tells this reading from earlier ones.

        Raises:
            StorageError: OUT holds no tables, or they cannot be read.
        """
        manifest = run.manifest().sort_by([("video_id", "ascending"), ("start", "ascending")])
        with connect(run.location, run.taxonomy) as connection:
            done = dict(connection.sql("SELECT video_id, count(*) FROM clips GROUP BY video_id").fetchall())
            self.has_embeddings = bool(connection.sql("FROM keyframes LIMIT 1").fetchall())
            self.videos = sorted(entries(manifest, done, run.source), key=lambda video: (video.name, video.video_id))
            lengths = {video.video_id: video.seconds for video in self.videos}
            is_long = sum(video.num_frames for video in self.videos) > FEW_FRAMES
            self._summaries = Summaries(connection, lengths, COLUMNS) if is_long else None
        self.version = version
        self.by_id = {video.video_id: video for video in self.videos}
        self._run = run
        self._manifest = manifest

    def timelines(self, videos: Sequence[VideoEntry]) -> dict[str, Timeline]:
        """What the list draws, by ``video_id``."""
        if self._summaries is not None:
            return {video.video_id: self._summaries.timeline(video.video_id) for video in videos}
        if not videos:
            return {}
        with connect(self._run.location, self._run.taxonomy) as connection:
            return timelines(connection, len(self._run.taxonomy), videos, COLUMNS)

    def clips(self, video: VideoEntry) -> list[Clip]:
        """The plan of a video, in order of time."""
        return [Clip.from_row(row) for row in self._rows(video).to_pylist()]

    def clip_at(self, video: VideoEntry, seconds: float) -> Clip:
        """The clip that a time falls into; the last one behind the end."""
        rows = self._rows(video)
        starts = rows["start_seconds"].to_pylist()
        return Clip.from_row(rows.slice(max(bisect_right(starts, seconds + 1e-3) - 1, 0), 1).to_pylist()[0])

    def has_clip(self, video: VideoEntry, clip_id: str) -> bool:
        """Whether a clip of that name is planned."""
        return clip_id in self._rows(video)["clip_id"].to_pylist()

    def _rows(self, video: VideoEntry) -> pa.Table:
        return self._manifest.slice(video.first_row, video.num_clips)


class Archives:
    """The archive as it is now, for many threads."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._archive: Archive | None = None
        self._sizes: tuple[int, ...] = ()
        self._checked = 0.0

    def now(self) -> Archive:
        """The archive; read anew when a table or the plan has another size than it had."""
        with self._lock:
            if self._archive is None or time.monotonic() - self._checked > FRESH_SECONDS:
                sizes = tuple(self.run.location.size(path) for path in (MANIFEST, *PATHS.values()))
                if self._archive is None or sizes != self._sizes:
                    version = 0 if self._archive is None else self._archive.version + 1
                    self._archive, self._sizes = Archive(self.run, version), sizes
                self._checked = time.monotonic()
            return self._archive
