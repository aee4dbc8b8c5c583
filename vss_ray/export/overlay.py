"""A finished run as videos to look at: every source again, in the colors of its classes.

H.264 in MP4 that starts playing while it loads, with the times of the source. One clip's record and mask are held at a
time and one frame is decoded, drawn and encoded after the other, so that memory does not grow with the video.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import cast

import av
import numpy as np
import pyarrow.parquet as pq
from av.error import FFmpegError
from av.video.reformatter import Colorspace

from vss_ray.clips import Clip
from vss_ray.errors import ConfigError, StorageError, VideoError
from vss_ray.export.drawing import OverlayFrame, Painter, Passage
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.masks._matroska import decode as decode_masks
from vss_ray.media.decode import decode
from vss_ray.storage.commit import committed, read_mask, read_record
from vss_ray.storage.location import Location

TICK = Fraction(1, 90_000)
"""Unit of time in the MP4, seconds."""
BT601, BT709 = (6, Colorspace.ITU601), (1, Colorspace.ITU709)
"""Matrix as the stream names it and as the scaler does."""

log = logging.getLogger(__name__)


def export_overlay(run: Location, dest: str, *, alpha: float = 0.5, video_id: str | None = None) -> list[str]:
    """Write ``DEST/<video_id>.mp4`` for each video of a run; clips that are not done are shown without colors.

    Args:
        run: OUT of a run, finished or not.
        dest: Local folder; made as needed.
        alpha: How much of the color is seen, 0 to 1.
        video_id: Only this video.

    Returns:
        The paths written.

    Raises:
        ConfigError: ``alpha`` or ``video_id`` make no sense, or ``dest`` is not local.
        StorageError: OUT holds no run, or a source or a mask cannot be read.
        VideoError: A source changed since it was processed.
    """
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha is {alpha}; wanted 0 (picture only) to 1 (colors only)")
    if "://" in dest:
        raise ConfigError(f"overlays are written to a local folder, got {dest}; copy them afterwards")
    taxonomy = Taxonomy.from_dict(json.loads(run.read("run.json"))["taxonomy"])
    rows = pq.read_table(io.BytesIO(run.read("manifest.parquet"))).to_pylist()
    clips = sorted((Clip.from_row(row) for row in rows), key=lambda clip: (clip.video_id, clip.start))
    videos = {name: list(group) for name, group in groupby(clips, key=lambda clip: clip.video_id)}
    if video_id is not None and video_id not in videos:
        raise ConfigError(f"no video {video_id!r} in {run.root}; there is {', '.join(videos)}")
    done = committed(run)
    paths = []
    for name in [video_id] if video_id is not None else videos:
        path = os.path.join(dest, f"{name}.mp4")
        if os.path.realpath(path) == os.path.realpath(videos[name][0].source):
            raise ConfigError(f"{path} is the source itself; choose another folder")
        frames = chain.from_iterable(_clip_frames(run, clip, len(taxonomy), done) for clip in videos[name])
        try:
            write_overlay(frames, path, taxonomy=taxonomy, alpha=alpha)
        except VideoError as error:
            log.warning("%s", error)
            continue
        paths.append(path)
    if not paths:
        raise VideoError(f"{run.root}: none of its videos can be decoded any more; see the warnings above")
    return paths


def write_overlay(frames: Iterable[OverlayFrame], out: str, *, taxonomy: Taxonomy, alpha: float = 0.5) -> None:
    """Draw and encode frames as they come, in constant memory; ``out`` appears when it is complete.

    Args:
        frames: At least one, of one size, in order of time.
        out: An ``.mp4`` to write; its folder is made as needed.
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
    target = Path(out)
    unfinished = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        height, width = first.image.shape[:2]
        _encode(chain([first], frames), str(unfinished), Painter(height, width, taxonomy, alpha))
        unfinished.replace(target)
    except StorageError:
        raise  # from reading the source or the masks
    except (OSError, FFmpegError) as error:
        raise StorageError(f"cannot write {out}: {error.strerror or error}; choose a folder that is yours") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _encode(frames: Iterable[OverlayFrame], path: str, painter: Painter) -> None:
    with av.open(path, "w", format="mp4", container_options={"movflags": "+faststart"}) as container:
        stream = cast(av.VideoStream, container.add_stream("libx264", options={"preset": "veryfast", "crf": "21"}))
        stream.height, stream.width = painter.size
        stream.pix_fmt = "yuv420p"
        code, matrix = BT709 if painter.size[0] >= 720 else BT601
        context = stream.codec_context
        context.time_base, context.thread_count, context.colorspace = TICK, 1, code
        last = -1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(painter.draw(frame), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace=matrix, threads=1)
            last = max(last + 1, round(frame.pts_seconds / TICK))
            picture.pts, picture.time_base = last, TICK
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _clip_frames(run: Location, clip: Clip, num_classes: int, done: set[tuple[str, str]]) -> Iterator[OverlayFrame]:
    if (clip.video_id, clip.clip_id) not in done:
        yield from _plain_frames(clip, num_classes)
        return
    row, table = read_record(run, clip.video_id, clip.clip_id)
    columns = {name: table[name].combine_chunks() for name in ("pts_seconds", "is_keyframe", "key_distance", "area")}
    passage = Passage(
        clip.start_seconds,
        clip.stop_seconds,
        columns["pts_seconds"].to_numpy(),
        columns["is_keyframe"].to_numpy(zero_copy_only=False),
        columns["area"].flatten().to_numpy().reshape(-1, num_classes),
    )
    distances = columns["key_distance"].to_numpy()
    masks = decode_masks(read_mask(run, row))
    for frame, ids, distance in zip(decode(clip), masks, distances, strict=True):
        yield OverlayFrame(frame.rgb(clip.height, clip.width), ids, frame.pts_seconds, int(distance), passage)


def _plain_frames(clip: Clip, num_classes: int) -> Iterator[OverlayFrame]:
    nothing = np.zeros((0, num_classes), np.float32)
    passage = Passage(clip.start_seconds, clip.stop_seconds, np.zeros(0), np.zeros(0, bool), nothing)
    try:
        for frame in decode(clip):
            yield OverlayFrame(frame.rgb(clip.height, clip.width), None, frame.pts_seconds, 0, passage)
    except VideoError:
        return  # it may be damage that kept the clip from being done
