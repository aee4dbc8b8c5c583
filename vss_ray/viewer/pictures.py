"""Single pictures out of a video: for results, and for videos that a browser cannot play."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.errors import VideoError
from vss_ray.frames import Frame
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.masks._matroska import LabelMap, decode_frame
from vss_ray.media.container import demux, open_video
from vss_ray.media.decode import decode
from vss_ray.storage.commit import read_mask, read_record
from vss_ray.storage.location import Location, MissingError

ALPHA = 0.5
QUALITY = 82


def thumbnail(location: Location, taxonomy: Taxonomy, clip: Clip, seconds: float, width: int) -> bytes:
    """The frame shown at a time as a JPEG so wide, in the colors of its classes where the clip is done.

    Raises:
        VideoError: The source does not decode there.
        StorageError: The source or OUT cannot be read.
    """
    try:
        row, frames = read_record(location, clip.video_id, clip.clip_id)
    except MissingError:
        return jpeg(picture(clip, seconds, width))
    times = frames["pts_seconds"].to_numpy()
    index = max(int(np.searchsorted(times, seconds + 1e-3, "right")) - 1, 0)
    image = picture(clip, float(times[index]), width)
    labels = decode_frame(read_mask(location, row), index, (row["height"], row["width"]))
    return jpeg(_colored(image, labels, taxonomy))


def picture(clip: Clip, seconds: float, width: int) -> NDArray[np.uint8]:
    """The frame shown at a time, (h, w, 3) RGB, at most so wide.

    Looked for from the codec keyframe before it; where the container does not lead there, the clip is decoded from its
    beginning.
    """
    frame = None
    if clip.first_pts is not None:
        with suppress(VideoError):
            frame = _sought(clip, seconds)
    if frame is None:
        frame = _counted(clip, seconds)
    width = min(width, clip.width)
    return frame.rgb(max(2, round(clip.height * width / clip.width)), width)


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """An RGB picture as a JPEG file."""
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _sought(clip: Clip, seconds: float) -> Frame | None:
    with open_video(clip.source) as (container, stream):
        tick = float(stream.time_base or 1)
        wanted = clip.origin_pts + round(seconds / tick)
        stream.thread_type = "NONE"
        try:
            container.seek(max(wanted, clip.seek_pts or clip.first_pts or 0), stream=stream)
        except FFmpegError:
            return None
        before = None
        for shown in _shown(container, stream):
            if shown.pts is None:
                return None
            if shown.pts > wanted:
                break
            before = shown
            if shown.pts == wanted:
                break
        return None if before is None else Frame(seconds, before, clip.rotation)


def _shown(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    for packet in demux(container, stream):
        with suppress(FFmpegError):
            yield from stream.decode(packet)
    with suppress(FFmpegError):
        yield from stream.decode(None)


def _counted(clip: Clip, seconds: float) -> Frame:
    last = None
    for frame in decode(clip):
        if last is not None and frame.pts_seconds > seconds + 1e-3:
            break
        last = frame
    if last is None:
        raise VideoError(f"{clip.source}: no frame can be decoded at {seconds:.2f} s; copy the file again")
    return last


def _colored(image: NDArray[np.uint8], labels: LabelMap, taxonomy: Taxonomy) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
    mixed = cv2.addWeighted(image, 1 - ALPHA, taxonomy.palette()[labels], ALPHA, 0)
    edges = np.zeros(labels.shape, bool)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    mixed[edges] = mixed[edges] // 3 * 2 + 70
    return np.where((labels == taxonomy.void)[..., None], image, mixed)
