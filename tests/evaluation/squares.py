"""A red square that moves over gray ground: sequences with truth, from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tests.tracking.paints import RED, scene, square
from vss_ray.datasets.mask_files import tight_box
from vss_ray.datasets.tracked import TrackedObject, Truth
from vss_ray.frames import Frame


@dataclass(frozen=True)
class Squares:
    """See ``TrackedSequence``."""

    places: tuple[tuple[int, int] | None, ...]
    """(y, x) of its middle, or None while it is not there."""
    with_masks: bool = True
    start: int = 0
    name: str = "squares"
    rate: float = 10.0
    objects: Mapping[int, TrackedObject] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", {1: TrackedObject(self.start)})

    @property
    def num_frames(self) -> int:
        return len(self.places)

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        for number, place in enumerate(self.places):
            shown = scene(*([] if place is None else [(RED, *place, 32)]))
            mask = np.zeros(shown.shape[:2], bool) if place is None else square(*place)
            truth = Truth({1: tight_box(mask)}, mask.astype(np.uint8) if self.with_masks else None)
            yield Frame.from_rgb(shown, number / self.rate), truth if number >= self.start else None


def walk(frames: int, step: int = 4) -> tuple[tuple[int, int], ...]:
    """To the right."""
    return tuple((48, 40 + step * number) for number in range(frames))
