"""Sequences with objects to follow: what every dataset of tracking comes down to, with masks or with boxes.

They travel to workers as paths, as ``LabeledSequence`` does, and are read there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Frame

Box = tuple[float, float, float, float]
"""(x, y, width, height) in pixels, as they stand in the dataset's files; see ``metrics.boxes`` for what they cover."""


@dataclass(frozen=True)
class TrackedObject:
    """What is known of an object before anything is read."""

    start: int = 0
    """The frame on which it is given to a tracker."""
    category: str | None = None
    """Where the dataset says."""


@dataclass(frozen=True, eq=False)
class Truth:
    """Where the objects are on a frame."""

    boxes: Mapping[int, Box | None]
    """Of every object that the frame is labeled for; None: it is absent, out of the picture or hidden."""
    ids: NDArray[np.uint8] | None = None
    """(H, W) object per pixel, 0 where there is none and 255 where nothing is scored; None where there are boxes only.
    Then ``boxes`` are those of the masks."""


class TrackedSequence(Protocol):
    """Consecutive frames with objects in them."""

    @property
    def name(self) -> str:
        """Unique in its dataset."""
        ...

    @property
    def rate(self) -> float:
        """Frames a second."""
        ...

    @property
    def num_frames(self) -> int:
        """How many there are."""
        ...

    @property
    def objects(self) -> Mapping[int, TrackedObject]:
        """By id: 1 or more."""
        ...

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """Frames in order, from the first at every call; None where a frame is not labeled.

        Raises:
            DataError: A file cannot be read, or does not fit its picture.
        """
        ...
