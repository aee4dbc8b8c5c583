"""A label map cut into segments: one for each class, or for each connected object where the class is a thing."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.masks._matroska import LabelMap


@dataclass(frozen=True, eq=False)
class Segment:
    """Some pixels of one class; every pixel that is not void lies in exactly one segment."""

    index: int
    """Id of the class."""
    top: int
    left: int
    mask: NDArray[np.bool_]
    """(h, w): the segment inside its bounding box, which touches all four sides."""

    @property
    def box(self) -> list[int]:
        """Left, top, width, height."""
        return [self.left, self.top, self.mask.shape[1], self.mask.shape[0]]

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def place(self) -> tuple[slice, slice]:
        """Where the bounding box lies in the picture."""
        return slice(self.top, self.top + self.mask.shape[0]), slice(self.left, self.left + self.mask.shape[1])


def segments(ids: LabelMap, num_classes: int, things: Set[int]) -> Iterator[Segment]:
    """The segments of a picture, by class and then in the order in which they are met from the top left.

    Objects are connected over edges and corners, as the index counts them.
    """
    for index in np.unique(ids).tolist():
        if index >= num_classes:
            continue
        mask = ids == index
        if index not in things:
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            top, left = int(rows[0]), int(columns[0])
            yield Segment(index, top, left, mask[top : rows[-1] + 1, left : columns[-1] + 1])
            continue
        count, objects, boxes, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
        for number in range(1, count):
            left, top, width, height = boxes[number, :4].tolist()
            yield Segment(index, top, left, objects[top : top + height, left : left + width] == number)
