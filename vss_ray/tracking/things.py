"""Objects of a whole video that nobody pointed at: the connected regions of its labels, linked by ``linking``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vss_ray.clips import Clip
from vss_ray.documents import read_mapping
from vss_ray.errors import VideoError
from vss_ray.frames import Frame
from vss_ray.masks._matroska import decode as decode_masks
from vss_ray.media.decode import decode
from vss_ray.media.limits import Limits
from vss_ray.media.shots import ShotDetector
from vss_ray.storage.commit import read_mask, read_record
from vss_ray.storage.location import Location, MissingError
from vss_ray.tracking.composing import Composed, position
from vss_ray.tracking.encoding import Encoded, encode
from vss_ray.tracking.following import CUT_SIZE
from vss_ray.tracking.legs import Leg
from vss_ray.tracking.linking import Config, Linked, Linker, Region, regions_of
from vss_ray.tracking.pointers import LARGEST_ID
from vss_ray.tracking.store import Store

LONGEST = 320
"""Longer side at which regions are linked; both sides are even there, as chroma wants it."""
SMALLEST = 0.0005
"""Share of the picture that a region must have, as where objects are counted."""
LARGEST_IN_MASKS = 65534
NUMBERS = "numbers"
"""In the metadata of a state."""

Motion = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float32]]
"""(h, w) grey here and there to the (h, w, 2) displacement from here to there."""


@dataclass(frozen=True)
class LinkThings:
    """See ``legs.Work``; what is seen is committed."""

    store: Store
    labels: Location
    """Where the labels are: OUT."""
    class_names: Mapping[int, str]
    """Of the classes whose objects are told apart."""
    config: Config
    motion: Motion
    limits: Limits
    commit: Callable[[Clip, Encoded], None]

    def see(self, leg: Leg, clip: Clip, state: bytes | None) -> tuple[bytes, Encoded]:
        """See ``legs.Work``.

        Raises:
            VideoError: The clip has no labels, or changed since it got them.
        """
        linker = Linker(self.config, LARGEST_ID + 1)
        gray = resumed(linker, state) if state else None
        walk = _Walk(self, linker, gray)
        encoded = encode(clip, walk.frames(clip), largest_id=LARGEST_IN_MASKS)
        if encoded is None:
            raise VideoError(f"{clip.source}: no frame of {clip.clip_id} decodes")
        return walk.state(), encoded

    def keep(self, leg: Leg, clip: Clip, seen: Encoded | None, why: str) -> None:
        """See ``legs.Work``."""
        if seen is None:
            self.store.write_part(leg.video_id, clip.clip_id, leg.name, pa.table({}), why)
        else:
            self.commit(clip, seen)


class _Walk:
    """Over the frames of a clip."""

    def __init__(self, work: LinkThings, linker: Linker, gray: NDArray[np.uint8] | None) -> None:
        self._work, self._linker, self._gray = work, linker, gray
        self._shots = ShotDetector()

    def frames(self, clip: Clip) -> Iterator[Composed]:
        """Every frame with its labels, composed."""
        for frame, ids in _labeled(self._work.labels, clip, self._work.limits):
            if self._shots.is_cut(frame.rgb(*CUT_SIZE)[..., ::-1]):
                self._linker.cut()
                self._gray = None
            yield self._linked(frame, ids)

    def _linked(self, frame: Frame, ids: NDArray) -> Composed:
        height, width = _small(*frame.size)
        planes = frame.planes(height, width)
        shrunk: Any = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST)
        regions, found = regions_of(shrunk, self._work.class_names, SMALLEST)
        before = self._gray
        back = self._work.motion(planes.y, before) if before is not None and before.shape == planes.y.shape else None
        linked = self._linker.step(regions, found, planes, back, frame.pts_seconds)
        self._gray = planes.y
        whole = self._enlarged(ids, regions, found, linked)
        names = self._work.class_names
        positions = [position(whole, each.track, each.score, each.state, names[each.class_id]) for each in linked]
        return Composed(frame.number, frame.pts_seconds, whole, sorted(positions, key=lambda each: each.track))

    def _enlarged(
        self, ids: NDArray, regions: NDArray[np.int32], found: list[Region], linked: list[Linked]
    ) -> NDArray[np.uint16]:
        """Numbers of tracks at full size: of a small region, where the labels have its class."""
        numbers, classes = np.zeros(len(found) + 1, np.uint16), np.full(len(found) + 1, -1, np.int64)
        for each in linked:
            if each.label is not None:
                numbers[each.label], classes[each.label] = each.track, each.class_id
        if not numbers.any():
            return np.zeros(ids.shape, np.uint16)
        # A pixel wider: at its rim a region loses up to a small pixel.
        grown = cv2.dilate(regions.astype(np.uint16), np.ones((3, 3), np.uint8))
        near = np.where(regions > 0, regions, grown).astype(np.uint16)
        labels: Any = cv2.resize(near, ids.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return np.where(classes[labels] == ids, numbers[labels], 0).astype(np.uint16)

    def state(self) -> bytes:
        """What the next clip begins with."""
        return kept(self._linker, self._gray)


def kept(linker: Linker, gray: NDArray[np.uint8] | None) -> bytes:
    """What is known behind a frame, with its gray picture, as bytes of safetensors."""
    numbers, places = linker.state()
    arrays = {"gray": gray, "places": places}
    return save({k: v for k, v in arrays.items() if v is not None}, {NUMBERS: numbers})


def resumed(linker: Linker, state: bytes) -> NDArray[np.uint8] | None:
    """Let a linker go on from ``kept``; gives the gray picture of the last frame.

    Raises:
        ValueError: It is no state.
    """
    try:
        arrays = load(state)
        header = read_mapping(state[8 : 8 + int.from_bytes(state[:8], "little")])
        linker.resume(read_mapping(header["__metadata__"][NUMBERS]), arrays.get("places"))
        return arrays.get("gray")
    except (SafetensorError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no state of linked regions: {error!r}") from error


def _labeled(location: Location, clip: Clip, limits: Limits) -> Iterator[tuple[Frame, NDArray]]:
    """The frames of a clip, each with its (H, W) labels."""
    try:
        row, frames = read_record(location, clip.video_id, clip.clip_id)
    except MissingError as error:
        raise VideoError(f"{clip.source}: {clip.clip_id} has no labels yet; `vss segment` it") from error
    numbers = frames["frame"].to_pylist()
    maps = decode_masks(read_mask(location, row), (row["height"], row["width"]))
    pictures = decode(clip, limits=limits)
    for number, ids in zip(numbers, maps, strict=True):
        frame = next((each for each in pictures if each.number >= number), None)
        if frame is None or frame.number != number:
            raise VideoError(f"{clip.source}: frame {number} is not there any more; it changed since the run")
        yield frame, ids


def _small(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(height, width))
    return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))
