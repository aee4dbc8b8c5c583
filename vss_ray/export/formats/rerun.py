"""Rerun recordings: one ``<video_id>.rrd`` a video with frames, labels in their colors, and shares over time.

``pip install 'vss-ray[rerun]'``; then ``rerun DEST/*.rrd``. A recording counts its rows by the clock, so that two of
the same run differ in bytes, not in what they show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from vss_ray.errors import ConfigError
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import jpeg
from vss_ray.export.resume import Made, by_video
from vss_ray.export.walk import Piece, Walk
from vss_ray.labels.taxonomy import Taxonomy

CHUNK_BYTES = 2**20
"""Rows are written as soon as they weigh so much."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How it looks at first."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    alpha: float = 0.5
    """How much of the labels' color is seen, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"alpha is {self.alpha}; wanted 0 (picture only) to 1 (colors only)")


class Recordings:
    """One recording a video."""

    local = True

    def __init__(self, config: Config) -> None:
        self._config = config

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        rerun = _rerun()

        def write(video_id: str, pieces: Iterator[Piece], path: Path) -> None:
            batches = rerun.ChunkBatcherConfig(flush_num_bytes=CHUNK_BYTES)
            with rerun.RecordingStream("vss-ray", recording_id=video_id, batcher_config=batches) as recording:
                recording.set_log_time_enabled(False)
                recording.set_log_tick_enabled(False)
                recording.save(path)
                _describe(rerun, recording, walk.run.taxonomy)
                for piece in pieces:
                    for sample in piece.samples(pixels=True):
                        recording.set_time("frame", sequence=sample.frame)
                        recording.set_time("video", duration=sample.pts_seconds)
                        picture = jpeg(np.asarray(sample.image))
                        recording.log("video", rerun.EncodedImage(contents=picture, media_type="image/jpeg"))
                        labels = rerun.SegmentationImage(np.asarray(sample.ids), opacity=self._config.alpha)
                        recording.log("video/labels", labels)
                        recording.log("shares", rerun.Scalars(sample.facts["area"]))
                        recording.log("key_distance", rerun.Scalars(sample.facts["key_distance"]))
                recording.flush()
                recording.disconnect()

        yield from by_video(walk, folder, ".rrd", write)


def _rerun() -> ModuleType:
    try:
        import rerun
    except ImportError as error:
        raise ConfigError(
            "rerun recordings are written by rerun-sdk, which is not here; pip install 'vss-ray[rerun]'"
        ) from error
    return rerun


def _describe(rerun: ModuleType, recording: Any, taxonomy: Taxonomy) -> None:
    """Names and colors of the classes, of the masks and of the lines."""
    classes = [
        rerun.AnnotationInfo(id=index, label=name, color=color)
        for index, (name, color) in enumerate(zip(taxonomy.classes, taxonomy.colors, strict=True))
    ]
    void = rerun.AnnotationInfo(id=taxonomy.void, label="void", color=(0, 0, 0, 0))
    recording.log("/", rerun.AnnotationContext([*classes, void]), static=True)
    lines = rerun.SeriesLines(colors=list(taxonomy.colors), names=list(taxonomy.classes))
    recording.log("shares", lines, static=True)


def build(config: Config) -> Recordings:
    """The format."""
    return Recordings(config)
