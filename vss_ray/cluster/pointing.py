"""What the entries of ``--init`` stand for: a frame and a mask each, found by tasks that look at the video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayTaskError, WorkerCrashedError

from vss_ray.clips import Clip
from vss_ray.clips import video_id as id_of
from vss_ray.cluster.attempts import FLOOR_SECONDS, Attempts
from vss_ray.errors import ConfigError, DataError, VideoError, VssError
from vss_ray.frames import Frame
from vss_ray.masks._matroska import decode_frame
from vss_ray.media.decode import decode
from vss_ray.run import Run
from vss_ray.storage.commit import read_mask, read_record
from vss_ray.storage.location import MissingError
from vss_ray.tracking import regions
from vss_ray.tracking.groups import KnownObject
from vss_ray.tracking.pointers import Pointer

TOLERANCE = 1e-3
"""Seconds by which a time may be rounded."""
SOME = 10
"""Videos that an error names."""


def videos_of(run: Run, entries: Sequence[Pointer]) -> dict[str, list[Clip]]:
    """The clips, in order, of every video that an entry names; by its id.

    Raises:
        ConfigError: There is no such video, or it is shorter than an entry says.
    """
    clips: dict[str, list[Clip]] = defaultdict(list)
    for row in run.manifest_rows():
        clips[row["video_id"]].append(Clip.from_row(row))
    found: dict[str, list[Clip]] = {}
    for entry in entries:
        video_id = _video_id(entry.video, clips)
        found[video_id] = sorted(clips[video_id], key=lambda clip: clip.start)
        end = found[video_id][-1].stop_seconds
        if entry.at > end + TOLERANCE:
            raise ConfigError(f"--init: {entry}: the video ends at {end:.2f} s; give a time inside")
    return found


def known_objects(
    run: Run, entries: Sequence[Pointer], videos: Mapping[str, Sequence[Clip]], attempts: Attempts
) -> dict[str, list[KnownObject]]:
    """Objects of every video, by id, with the masks that the entries stand for.

    Raises:
        ConfigError: There is no such class.
        DataError: A mask has another size than its video, or is empty; a box lies outside; a class is not there.
        VideoError: The video does not decode at that time.
    """
    for entry in entries:
        _class_of(run, entry)
    tasks = [(entry, _look.remote(run, entry, _clip_at(videos, entry), attempts)) for entry in entries]
    masks: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
    names: dict[tuple[str, int], str | None] = {}
    for entry, task in tasks:
        key = _video_id(entry.video, videos), entry.id
        frame, mask = _answer(entry, task)
        masks[key][frame] = regions.packed(mask)
        names[key] = _class_of(run, entry) or names.get(key)
    objects: dict[str, list[KnownObject]] = defaultdict(list)
    for video_id, track in sorted(masks):
        of_frame = dict(sorted(masks[video_id, track].items()))
        objects[video_id].append(KnownObject(track=track, masks=of_frame, class_name=names[video_id, track]))
    return dict(objects)


def _video_id(name: str, videos: Mapping[str, object]) -> str:
    for video_id in (name, id_of(name)):
        if video_id in videos:
            return video_id
    some = ", ".join(sorted(videos)[:SOME])
    raise ConfigError(f"--init: no video {name!r} in OUT; give its path relative to SOURCE, or its id, such as {some}")


def _clip_at(videos: Mapping[str, Sequence[Clip]], entry: Pointer) -> Clip:
    first, *rest = videos[_video_id(entry.video, videos)]
    return next((clip for clip in reversed(rest) if clip.start_seconds <= entry.at + TOLERANCE), first)


def _class_of(run: Run, entry: Pointer) -> str | None:
    if entry.largest is None:
        return None
    try:
        return run.taxonomy.classes[run.taxonomy.index(entry.largest)]
    except KeyError as error:
        raise ConfigError(f"--init: {entry}: {error.args[0]}") from error


def _answer(entry: Pointer, task: Any) -> tuple[int, NDArray[np.bool_]]:
    try:
        return ray.get(task)
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, VssError) else error from None
    except WorkerCrashedError as error:
        raise VideoError(f"--init: {entry}: decoding the video there kills its worker; give another time") from error


@ray.remote(num_cpus=1, max_retries=-1)
def _look(run: Run, entry: Pointer, clip: Clip, attempts: Attempts) -> tuple[int, NDArray[np.bool_]]:
    """Number of the frame, and the mask (H, W) on it."""
    work = {f"{clip.video_id}/{clip.clip_id}": f"{clip.source}, frames {clip.start} to {clip.stop}"}
    with attempts.at("point", work, FLOOR_SECONDS + clip.num_frames):
        frame = _shown(run, clip, entry.at)
    name = f"--init: {entry}"
    size = clip.height, clip.width
    if entry.mask is not None:
        return frame.number, regions.from_png(entry.mask, entry.value, size, name)
    ids = _labels(run, clip, frame.number)
    if entry.box is not None:
        return frame.number, regions.from_box(entry.box, frame.rgb(*size), ids, name)
    if ids is None:
        raise DataError(f"{name}: OUT has no labels of that frame; `vss segment` it, or give a mask or a box")
    mask = regions.largest(ids, run.taxonomy.index(entry.largest or ""))
    if mask is None:
        raise DataError(f"{name}: OUT has no {entry.largest} on that frame; give another time, or a box")
    return frame.number, mask


def _shown(run: Run, clip: Clip, seconds: float) -> Frame:
    """The frame that is shown at a time: the last one that began by then, or the first of the clip."""
    shown = None
    for frame in decode(clip, limits=run.point.limits):
        if shown is not None and frame.pts_seconds > seconds + TOLERANCE:
            break
        shown = frame
    if shown is None:
        raise VideoError(f"{clip.source}: no frame decodes at {seconds:.2f} s; give another time")
    return shown


def _labels(run: Run, clip: Clip, number: int) -> NDArray | None:
    """(H, W) class per pixel of a frame; None where there are none."""
    try:
        row, frames = read_record(run.location, clip.video_id, clip.clip_id)
    except MissingError:
        return None
    places = np.flatnonzero(frames["frame"].to_numpy() == number)
    if not places.size:
        return None
    return decode_frame(read_mask(run.location, row), int(places[0]), (row["height"], row["width"]))
