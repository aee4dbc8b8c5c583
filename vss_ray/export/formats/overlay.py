"""Overlay videos: every source again, in the colors of its classes, ``<video_id>.mp4``.

H.264 in MP4 that starts playing while it loads, with the times of the source; spans of a query follow one another
without the time between them. One clip's record and mask are held at a time and one frame is decoded, drawn and encoded
after the other, so that memory does not grow with the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace

from vss_ray.errors import ConfigError, StorageError, VideoError
from vss_ray.export.drawing import OverlayFrame, Painter, Passage
from vss_ray.export.folder import Folder
from vss_ray.export.resume import Made, by_video
from vss_ray.export.walk import Piece, Walk
from vss_ray.labels.taxonomy import Taxonomy

TICK = Fraction(1, 90_000)
"""Unit of time in the MP4, seconds."""
BT601, BT709 = (6, Colorspace.ITU601), (1, Colorspace.ITU709)
"""Matrix as the stream names it and as the scaler does."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How it looks."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    alpha: float = 0.5
    """How much of the color is seen, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"alpha is {self.alpha}; wanted 0 (picture only) to 1 (colors only)")


class Overlay:
    """One video a video; clips that are not done are shown without colors."""

    local = True

    def __init__(self, config: Config) -> None:
        self._config = config

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        taxonomy = walk.run.taxonomy

        def write(_: str, pieces: Iterator[Piece], path: Path) -> None:
            frames = _joined(chain.from_iterable(_drawn(piece, len(taxonomy)) for piece in pieces))
            write_overlay(frames, path, taxonomy=taxonomy, alpha=self._config.alpha)

        yield from by_video(walk, folder, ".mp4", write, unfinished=True)


def write_overlay(
    frames: Iterable[tuple[float, OverlayFrame]], out: Path, *, taxonomy: Taxonomy, alpha: float = 0.5
) -> None:
    """Draw and encode frames as they come, in constant memory.

    Args:
        frames: When each is shown, seconds, and what it shows; at least one, of one size.
        out: A file to write, whatever its suffix.
        taxonomy: Names and colors.
        alpha: How much of the color is seen.

    Raises:
        VideoError: There is no frame.
        StorageError: ``out`` cannot be written.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise VideoError(f"{out}: there is no frame to draw; wanted at least one")
    height, width = first[1].image.shape[:2]
    try:
        _encode(chain([first], frames), out, Painter(height, width, taxonomy, alpha))
    except FFmpegError as error:
        raise StorageError(f"cannot write {out}: {error.strerror}; choose a folder that is yours") from error


def _encode(frames: Iterable[tuple[float, OverlayFrame]], path: Path, painter: Painter) -> None:
    with av.open(path, "w", format="mp4", container_options={"movflags": "+faststart"}) as container:
        stream = cast(av.VideoStream, container.add_stream("libx264", options={"preset": "veryfast", "crf": "21"}))
        stream.height, stream.width = painter.size
        stream.pix_fmt = "yuv420p"
        code, matrix = BT709 if painter.size[0] >= 720 else BT601
        context = stream.codec_context
        context.time_base, context.thread_count, context.colorspace = TICK, 1, code
        last = -1
        for seconds, frame in frames:
            picture = av.VideoFrame.from_ndarray(painter.draw(frame), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace=matrix, threads=1)
            last = max(last + 1, round(seconds / TICK))
            picture.pts, picture.time_base = last, TICK
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _drawn(piece: Piece, num_classes: int) -> Iterator[tuple[int, OverlayFrame]]:
    """(span, frame) of a clip."""
    passage = _passage(piece, num_classes)
    try:
        for sample in piece.samples(pixels=True):
            image, distance = np.asarray(sample.image), int(sample.facts.get("key_distance", 0))
            yield sample.span, OverlayFrame(image, sample.ids, sample.pts_seconds, distance, passage)
    except VideoError:
        if piece.frames is not None:
            raise
        return  # it may be damage that kept the clip from being done


def _passage(piece: Piece, num_classes: int) -> Passage:
    start, stop = piece.clip.start_seconds, piece.clip.stop_seconds
    if piece.frames is None:
        return Passage(start, stop, np.zeros(0), np.zeros(0, bool), np.zeros((0, num_classes), np.float32))
    columns = {name: piece.frames[name].combine_chunks() for name in ("pts_seconds", "is_keyframe", "area")}
    return Passage(
        start,
        stop,
        columns["pts_seconds"].to_numpy(),
        columns["is_keyframe"].to_numpy(zero_copy_only=False),
        columns["area"].flatten().to_numpy().reshape(-1, num_classes),
    )


def _joined(frames: Iterable[tuple[int, OverlayFrame]]) -> Iterator[tuple[float, OverlayFrame]]:
    """(seconds, frame): times of the source, less what lies between two spans."""
    shift = 0.0
    before: tuple[int, OverlayFrame] | None = None
    for span, frame in frames:
        if before is not None and before[0] != span:
            shift += frame.pts_seconds - before[1].pts_seconds - _mean_step(before[1].passage)
        before = (span, frame)
        yield frame.pts_seconds - shift, frame


def _mean_step(passage: Passage) -> float:
    return (passage.stop_seconds - passage.start_seconds) / max(1, len(passage.pts_seconds))


def build(config: Config) -> Overlay:
    """The format."""
    return Overlay(config)
