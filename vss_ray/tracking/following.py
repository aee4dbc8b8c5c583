"""Objects followed over the frames of a clip, in either direction of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Frame
from vss_ray.media.shots import ShotDetector
from vss_ray.tracking.regions import unpacked
from vss_ray.tracking.sightings import Sighting, of_frame
from vss_ray.tracking.tracker import Tracked, Tracker

LONGEST = 1280
"""Longer side at which frames are followed; of larger ones the network sees less anyway, and masks are enlarged."""
CUT_SIZE = 90, 160
"""Height and width at which cuts are looked for."""


def followed_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) at which frames of a size are followed."""
    scale = min(1.0, LONGEST / max(height, width))
    return max(2, round(height * scale)), max(2, round(width * scale))


def follow(
    tracker: Tracker, frames: Iterable[Frame], known: Mapping[int, Mapping[int, bytes]], size: tuple[int, int]
) -> Iterator[list[Sighting]]:
    """What is seen on every frame, in the order of ``frames``.

    Behind a cut nothing is where it was: all objects count as lost, until they are found again.

    Args:
        tracker: With the objects that are followed already.
        frames: Neighbors in time, forward or backward.
        known: By number of a frame and id, masks of objects that are known there, see ``regions.packed``; these are
            followed from then on, or anew.
        size: (height, width) to follow at.
    """
    shots = ShotDetector()
    for frame in frames:
        if not tracker.ids and frame.number not in known:
            yield []
            continue
        picture = frame.rgb(*size)
        if shots.is_cut(frame.rgb(*CUT_SIZE)[..., ::-1]):
            tracker.cut()
        tracked = tracker.step(picture) if tracker.ids else nothing(size)
        masks = {track: _resized(unpacked(mask), size) for track, mask in known.get(frame.number, {}).items()}
        if masks:
            tracker.start(picture, masks)
        yield of_frame(frame.number, frame.pts_seconds, tracked, masks)


def nothing(size: tuple[int, int]) -> Tracked:
    """A frame on which no object is followed."""
    empty = np.zeros(0)
    return Tracked(np.zeros(0, np.int64), np.zeros((0, *size), np.float32), empty, empty, (), ())


def _resized(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at another size, never empty where it was not."""
    if mask.shape == size:
        return mask
    shares = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return shares >= min(0.5, float(shares.max()))
