"""Tracked sequences of one picture a frame and a text file of boxes an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from vss_ray.datasets.sequences import read_rgb
from vss_ray.datasets.tracked import Box, TrackedObject, Truth
from vss_ray.errors import DataError
from vss_ray.frames import Frame
from vss_ray.metrics.boxes import Boxes, is_box


@dataclass(frozen=True, eq=False)
class BoxFiles:
    """See ``TrackedSequence``."""

    name: str
    rate: float
    objects: Mapping[int, TrackedObject]
    images: tuple[Path, ...]
    boxes: Mapping[int, Boxes]
    """Of every object, (N, 4) from the first frame on; rows without a size where it is absent. There may be fewer than
    images: what follows is not labeled."""

    def __post_init__(self) -> None:
        for rows in self.boxes.values():
            if len(rows) > len(self.images):
                raise ValueError(f"{self.name}: {len(rows)} rows of boxes, {len(self.images) = }")

    @property
    def num_frames(self) -> int:
        """See ``TrackedSequence``."""
        return len(self.images)

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """See ``TrackedSequence``."""
        for number, path in enumerate(self.images):
            shown = {each: _box(rows, number) for each, rows in self.boxes.items() if number < len(rows)}
            yield Frame.from_rgb(read_rgb(path), number / self.rate), Truth(shown) if shown else None


def read_boxes(path: Path) -> Boxes:
    """(N, 4) boxes from a text file of four numbers a line, whatever stands between them.

    Raises:
        DataError: It is missing or has other lines.
    """
    rows = [line.replace(",", " ").split() for line in _text(path).splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != 4:
            raise DataError(f"{path}, line {number}: {len(row)} numbers; wanted four: x, y, width, height")
    return _numbers(path, rows).reshape(-1, 4)


def read_flags(path: Path, length: int) -> np.ndarray:
    """(length,) numbers from a text file, on one line or many.

    Raises:
        DataError: It is missing, or has another number of them.
    """
    flags = _numbers(path, [_text(path).replace(",", " ").split()]).ravel()
    if len(flags) != length:
        raise DataError(f"{path} has {len(flags)} entries; wanted {length}, one a frame")
    return flags


def _box(rows: Boxes, number: int) -> Box | None:
    return cast("Box", tuple(rows[number].tolist())) if is_box(rows[number : number + 1])[0] else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is missing or no text ({error})") from error


def _numbers(path: Path, rows: list[list[str]]) -> np.ndarray:
    try:
        return np.array(rows, np.float64)
    except ValueError as error:
        raise DataError(f"{path} has something that is no number ({error})") from error
