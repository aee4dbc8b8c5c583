"""Overlapping tiles of a picture: where they lie, which matter most, how their scores go back into the whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRIDE = 32
"""Sides and corners of tiles are multiples of it, so that a network sees the same grid in a tile as in the picture."""
OVERLAP = 16
"""Pixels over which inner borders fade. Neighbors share more or, where STRIDE leaves no room for it, only touch."""


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size that cover a picture; corners (y, x) in raster order."""

    height: int
    width: int
    corners: tuple[tuple[int, int], ...]

    def cut(self, picture: NDArray, index: int) -> NDArray:
        """The part of ``picture`` (H, W, ...) that tile ``index`` covers."""
        y, x = self.corners[index]
        return picture[y : y + self.height, x : x + self.width]

    def means(self, values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
        """(n,) mean of ``values`` (gh, gw), given on a coarser grid of the (height, width) picture, in every tile."""
        down, right = values.shape[0] / height, values.shape[1] / width
        parts = [
            values[
                int(y * down) : math.ceil((y + self.height) * down),
                int(x * right) : math.ceil((x + self.width) * right),
            ]
            for y, x in self.corners
        ]
        return np.array([part.mean() for part in parts], np.float32)

    def paste(self, whole: NDArray[np.float32], part: NDArray[np.float32], index: int, stride: int) -> None:
        """Put the scores of a tile into those of the picture, in place; inner borders fade over half a tile's overlap.

        Args:
            whole: (H/stride, W/stride, C).
            part: (height/stride, width/stride, C).
            index: Which tile.
            stride: Pixels per score.
        """
        y, x = (corner // stride for corner in self.corners[index])
        rows = _fade(len(part), y > 0, y + len(part) < len(whole), OVERLAP // stride)
        columns = _fade(part.shape[1], x > 0, x + part.shape[1] < whole.shape[1], OVERLAP // stride)
        weight = (rows[:, None] * columns)[..., None]
        target = whole[y : y + len(part), x : x + part.shape[1]]
        target += weight * (part - target)


def tile(height: int, width: int, side: int) -> Tiling:
    """Tiles of about ``side`` pixels for a picture whose sides are multiples of 32."""
    (tall, down), (wide, across) = (_along(length, side) for length in (height, width))
    return Tiling(tall, wide, tuple((y, x) for y in down for x in across))


def _along(length: int, side: int) -> tuple[int, list[int]]:
    count = max(1, round(length / side))
    if count == 1:
        return length, [0]
    size = min(length, math.ceil((length / count + OVERLAP) / STRIDE) * STRIDE)
    # Of a short side, several may fall on the same place.
    return size, sorted({round(i * (length - size) / (count - 1) / STRIDE) * STRIDE for i in range(count)})


def _fade(length: int, fades_in: bool, fades_out: bool, over: int) -> NDArray[np.float32]:
    weight = np.ones(length, np.float32)
    ramp = (np.arange(over, dtype=np.float32) + 0.5) / max(over, 1)
    if fades_in:
        weight[:over] = ramp
    if fades_out:
        weight[length - over :] = ramp[::-1]
    return weight
