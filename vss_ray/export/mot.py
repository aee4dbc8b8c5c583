"""Tracks as the text of MOTChallenge: ``frame, id, left, top, width, height, score, -1, -1, -1``, one box a line.

Frames and pixels are counted from 1 there (motchallenge.net/instructions) and from 0 here: the box of the picture's
first pixel has left and top 1. Ids are the same, and 1 or more. Numbers are written to a thousandth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vss_ray.errors import DataError

WORLD = "-1,-1,-1"
"""x, y, z in the world, which are not known."""


@dataclass(frozen=True, order=True)
class TrackBox:
    """Where an object is on a frame."""

    frame: int
    """From 0."""
    track_id: int
    """From 1."""
    x: float
    """Of the leftmost pixel, from 0."""
    y: float
    width: float
    height: float
    score: float = 1.0

    def __post_init__(self) -> None:
        if self.frame < 0 or self.track_id < 1:
            raise ValueError(f"frames count from 0 and ids from 1: {self.frame = }, {self.track_id = }")
        if not all(map(math.isfinite, (self.x, self.y, self.width, self.height, self.score))):
            raise ValueError(f"a box of numbers that are none: {self}")


def mot_text(boxes: Iterable[TrackBox]) -> str:
    """The file, in order of frame and id."""
    return "".join(
        f"{box.frame + 1},{box.track_id},{_number(box.x + 1)},{_number(box.y + 1)},"
        f"{_number(box.width)},{_number(box.height)},{_number(box.score)},{WORLD}\n"
        for box in sorted(boxes)
    )


def parse_mot(text: str, name: str = "MOT text") -> list[TrackBox]:
    """The boxes of a file of results or truth, in its order.

    Args:
        text: Seven or more numbers a line, those after the score ignored; six are a box without a score, 1.
        name: Of the file, for messages.

    Raises:
        DataError: A line is something else.
    """
    return [_box(line, f"{name}, line {number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _box(line: str, place: str) -> TrackBox:
    try:
        frame, track_id, x, y, width, height, *rest = map(float, line.split(","))
        if not (frame.is_integer() and track_id.is_integer()):
            raise ValueError("frame and id are whole numbers")
        return TrackBox(int(frame) - 1, int(track_id), x - 1, y - 1, width, height, *rest[:1])
    except ValueError as error:
        raise DataError(f"{place}: {line!r} ({error}); wanted frame, id, left, top, width, height, score") from error


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
