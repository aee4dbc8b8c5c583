"""Parts of a frame that the network looks at, always at one size, and masks of them back in the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Crop:
    """A rectangle of a frame, whole pixels; it may reach beyond the frame."""

    left: int
    top: int
    width: int
    height: int

    def take(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """(h, w, 3) of ``frame`` (H, W, 3); beyond it, its rim."""
        return _resized(self._cut(frame, cv2.BORDER_REPLICATE), size)

    def take_mask(self, mask: NDArray, size: tuple[int, int]) -> Floats:
        """(h, w) from 0 to 1 of ``mask`` (H, W), bool or float; beyond it, 0."""
        return _resized(self._cut(mask.astype(np.float32), cv2.BORDER_CONSTANT), size)

    def paste(self, values: Floats, frame_size: tuple[int, int]) -> Floats:
        """(H, W), ``values`` (h, w) where the crop is and 0 elsewhere."""
        whole = np.zeros(frame_size, np.float32)
        rows, columns = self._inside(frame_size)
        seen = cv2.resize(values, (self.width, self.height), interpolation=cv2.INTER_LINEAR)
        offset_y, offset_x = rows.start - self.top, columns.start - self.left
        whole[rows, columns] = seen[offset_y:, offset_x:][: rows.stop - rows.start, : columns.stop - columns.start]
        return whole

    def to_crop(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """Pixels of the crop at ``size`` of pixels of the frame, (..., 2) as (y, x)."""
        return (points - (self.top, self.left)) * (size[0] / self.height, size[1] / self.width)

    def to_frame(self, points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
        """The other way round."""
        return points * (self.height / size[0], self.width / size[1]) + (self.top, self.left)

    def _inside(self, frame_size: tuple[int, int]) -> tuple[slice, slice]:
        height, width = frame_size
        rows = slice(max(0, self.top), max(0, min(height, self.top + self.height)))
        return rows, slice(max(0, self.left), max(0, min(width, self.left + self.width)))

    def _cut(self, picture: NDArray, border: int) -> Any:
        height, width = picture.shape[:2]
        rows, columns = self._inside((height, width))
        above, before = rows.start - self.top, columns.start - self.left
        below, after = (
            self.height - above - (rows.stop - rows.start),
            self.width - before - (columns.stop - columns.start),
        )
        part = picture[rows, columns]
        return cv2.copyMakeBorder(part, above, below, before, after, border) if above + below + before + after else part


def search_crop(center: tuple[float, float], area: float, size: tuple[int, int], frame_size: tuple[int, int]) -> Crop:
    """The crop around ``center`` of about ``area``, in the shape of ``size``, inside the frame where it can be.

    It is made smaller until it is no larger than the frame in one direction at least, and moved until it does not leave
    the frame in the directions in which it fits; in the other one it is in the middle of the frame.

    Args:
        center: (y, x).
        area: In pixels of the frame.
        size: (height, width) at which the network sees it.
        frame_size: (height, width).
    """
    scale = min((area / (size[0] * size[1])) ** 0.5, max(frame_size[0] / size[0], frame_size[1] / size[1]))
    sides = [max(2, round(scale * side)) for side in size]
    corner = []
    for middle, side, limit in zip(center, sides, frame_size, strict=True):
        room = limit - side
        corner.append(room // 2 if room < 0 else int(np.clip(round(middle - side / 2), 0, room)))
    return Crop(corner[1], corner[0], sides[1], sides[0])


def shared(crops: Sequence[Crop], boxes: Sequence[NDArray[np.float64]], zoom: float) -> list[Crop]:
    """For every object, the crop that it is looked for in: another one's, where that serves as well.

    A larger crop serves if it is at most ``zoom`` times as large and holds the object with half its size around it.
    Objects that share a crop share all that the network computes of the picture.

    Args:
        crops: One an object.
        boxes: (4,) each, where the object was.
        zoom: Largest ratio of sides; below 1 nothing is shared.
    """
    order = sorted(range(len(crops)), key=lambda number: (-crops[number].width, number))
    chosen: list[Crop | None] = [None] * len(crops)
    leaders: list[Crop] = []
    for number in order:
        own = crops[number]
        fitting = [each for each in leaders if each.width <= zoom * own.width and _holds(each, boxes[number], own)]
        chosen[number] = fitting[0] if fitting else own
        if not fitting and zoom >= 1:
            leaders.append(own)
    return [crop for crop in chosen if crop is not None]


def _holds(crop: Crop, box: NDArray[np.float64], own: Crop) -> bool:
    left, top, right, bottom = box
    across, down = (right - left) / 2, (bottom - top) / 2
    wanted = (
        max(left - across, own.left),
        max(top - down, own.top),
        min(right + across, own.left + own.width),
        min(bottom + down, own.top + own.height),
    )
    edges = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    return edges[0] <= wanted[0] and edges[1] <= wanted[1] and edges[2] >= wanted[2] and edges[3] >= wanted[3]


def _resized(picture: Any, size: tuple[int, int]) -> Any:
    shrinks = picture.shape[0] > size[0]
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
