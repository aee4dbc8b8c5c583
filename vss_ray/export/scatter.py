"""Accuracy against work as a picture: one mark an operating point, a color a method, a line along the best of them.

The form of figure 3.1 of the EVS thesis, with work on a logarithmic axis and to the left what costs least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.export.placement import place_labels

Color = tuple[int, int, int]
Place = tuple[float, float]

WIDTH, HEIGHT = 900, 560
UNIT = 2
"""Pixels of the picture per pixel of a page that shows it ``WIDTH`` wide."""
LEFT, TOP, RIGHT, BOTTOM = 58, 92, 26, 56
"""Margins around the plot."""
INK, GRAY, FAINT, GRID, PAPER = (31, 36, 42), (96, 104, 114), (150, 157, 166), (231, 234, 238), (255, 255, 255)
COLORS: tuple[Color, ...] = (
    (55, 65, 81),
    (0, 114, 178),
    (213, 94, 0),
    (0, 146, 104),
    (170, 68, 153),
    (178, 132, 0),
    (86, 160, 211),
    (160, 40, 40),
)
"""Of methods in order of appearance; told apart by readers who do not see all colors (after Okabe and Ito)."""
SUBPIXEL = 4


@dataclass(frozen=True)
class Mark:
    """One operating point."""

    name: str
    group: str
    """Method: a color, and a line of the legend."""
    x: float
    """Positive."""
    y: float


def draw_scatter(
    marks: Sequence[Mark], *, title: str, subtitle: str, x_title: str, y_title: str, level: str | None = None
) -> NDArray[np.uint8]:
    """The plot, (HEIGHT * UNIT, WIDTH * UNIT, 3) RGB.

    Args:
        marks: At least one.
        title: Of the whole.
        subtitle: Second line, smaller.
        x_title: What is measured to the right; less is better.
        y_title: What is measured upwards; more is better.
        level: Name of the mark whose height is drawn across the plot.

    Raises:
        ValueError: There are no marks, or an x is not positive.
    """
    if not marks or min(mark.x for mark in marks) <= 0:
        raise ValueError(f"wanted marks with positive x: got {marks}")
    return _Plot(marks).draw(title, subtitle, x_title, y_title, level)


def frontier(marks: Sequence[Mark]) -> list[Mark]:
    """Marks that no other beats in both ways, from left to right."""
    best: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.x, -mark.y)):
        if not best or mark.y > best[-1].y:
            best.append(mark)
    return best


class _Plot:
    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = marks
        groups = dict.fromkeys(mark.group for mark in marks)
        self._colors = {group: COLORS[i % len(COLORS)] for i, group in enumerate(groups)}
        self._canvas = np.full((HEIGHT * UNIT, WIDTH * UNIT, 3), PAPER, np.uint8)
        xs, ys = np.log10([mark.x for mark in marks]), np.array([mark.y for mark in marks])
        wide, high = max(0.08 * np.ptp(xs), 0.06), max(0.1 * np.ptp(ys), 0.1)
        self._low, self._high = (xs.min() - wide, ys.min() - high), (xs.max() + wide, ys.max() + high)

    def draw(self, title: str, subtitle: str, x_title: str, y_title: str, level: str | None) -> NDArray[np.uint8]:
        self._write(title, (LEFT, 30), INK, 17, bold=True)
        self._write(subtitle, (LEFT, 51), GRAY, 12)
        self._legend(76)
        self._axes(x_title, y_title)
        path = [self._at(mark.x, mark.y) for mark in frontier(self._marks)]
        self._line(path, FAINT, 1.6)
        lines = [*pairwise(path), (path[0], path[0])]
        for mark in self._marks:
            if mark.name == level:
                y = self._at(mark.x, mark.y)[1]
                self._dashes(y, self._colors[mark.group])
                lines.append(((LEFT, y), (WIDTH - RIGHT, y)))
        best = {id(mark) for mark in frontier(self._marks)}
        self._labels(lines)
        for mark in sorted(self._marks, key=lambda mark: id(mark) in best):
            center = self._at(mark.x, mark.y)
            self._disk(center, 6.2, PAPER)
            self._disk(center, 5.0, self._colors[mark.group])
            if id(mark) not in best:
                self._disk(center, 2.8, PAPER)
        return self._canvas

    def _axes(self, x_title: str, y_title: str) -> None:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value in _steps(self._low[1], self._high[1]):
            y = self._at(1.0, value)[1]
            self._line([(LEFT, y), (right, y)], GRID, 1)
            self._write(f"{value:g}", (LEFT - 8, y + 4), GRAY, 12, align=1)
        for value in _decades(10 ** self._low[0], 10 ** self._high[0]):
            x = self._at(value, 0.0)[0]
            self._line([(x, TOP), (x, bottom)], GRID, 1)
            self._write(f"{value:g}", (x, bottom + 18), GRAY, 12, align=0.5)
        self._line([(LEFT, bottom), (right, bottom)], FAINT, 1.2)
        self._write(x_title, ((LEFT + right) / 2, bottom + 42), INK, 13, align=0.5)
        self._write_upwards(y_title, (17, (TOP + bottom) / 2), INK, 13)

    def _legend(self, y: float) -> None:
        x = float(LEFT)
        for group, color in self._colors.items():
            self._disk((x + 5, y - 4), 5.0, color)
            self._write(group, (x + 15, y), INK, 12.5)
            x += 15 + self._text_width(group, 12.5) + 20
        self._line([(x, y - 4), (x + 22, y - 4)], FAINT, 1.6)
        self._write("best for its work: filled", (x + 29, y), GRAY, 12.5)

    def _labels(self, lines: Sequence[tuple[Place, Place]]) -> None:
        anchors = np.array([self._at(mark.x, mark.y) for mark in self._marks])
        sizes = np.array([(self._text_width(mark.name, 11.5) + 2, 13.0) for mark in self._marks])
        disks = np.column_stack([anchors - 6.5, anchors + 6.5, np.full(len(anchors), 3.0)])
        dots = np.concatenate([np.linspace(a, b, 150) for a, b in lines])
        strokes = np.column_stack([dots - 1.5, dots + 1.5, np.full(len(dots), 0.2)])
        bounds = (LEFT + 2, TOP - 4, WIDTH - RIGHT + 18, HEIGHT - BOTTOM - 4)
        boxes = place_labels(anchors, sizes, bounds, np.concatenate([disks, strokes]), gap=8)
        for mark, anchor, box in zip(self._marks, anchors, boxes, strict=True):
            color = self._colors[mark.group]
            nearest = anchor.clip(box[:2] - 1, box[2:] + 1)
            if np.linalg.norm(nearest - anchor) > 14:
                self._line([tuple(anchor), tuple(nearest)], _faded(color), 1)
        for mark, box in zip(self._marks, boxes, strict=True):
            self._write(mark.name, (box[0] + 1, box[3] - 3), self._colors[mark.group], 11.5)

    def _at(self, x: float, y: float) -> Place:
        share = (np.array([np.log10(x), y]) - self._low) / np.subtract(self._high, self._low)
        return (
            LEFT + float(share[0]) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - float(share[1]) * (HEIGHT - TOP - BOTTOM),
        )

    def _line(self, places: Sequence[Place], color: Color, thickness: float) -> None:
        points = np.rint(np.array(places) * UNIT * 2**SUBPIXEL).astype(np.int32)
        cv2.polylines(self._canvas, [points], False, color, max(1, round(thickness * UNIT)), cv2.LINE_AA, SUBPIXEL)

    def _dashes(self, y: float, color: Color) -> None:
        for x in range(LEFT, WIDTH - RIGHT, 9):
            self._line([(x, y), (min(x + 4, WIDTH - RIGHT), y)], _faded(color), 1)

    def _disk(self, center: Place, radius: float, color: Color) -> None:
        x, y, r = (round(value * UNIT * 2**SUBPIXEL) for value in (*center, radius))
        cv2.circle(self._canvas, (x, y), r, color, -1, cv2.LINE_AA, SUBPIXEL)

    def _write(
        self, text: str, baseline: Place, color: Color, size: float, *, align: float = 0, bold: bool = False
    ) -> None:
        x = baseline[0] - align * self._text_width(text, size)
        place, thickness = (round(x * UNIT), round(baseline[1] * UNIT)), UNIT if bold else 1
        font = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(self._canvas, text, place, font, _scale(size), color, thickness, cv2.LINE_AA)

    def _write_upwards(self, text: str, middle: Place, color: Color, size: float) -> None:
        length, height = round(self._text_width(text, size) + 4), round(2 * size)
        canvas, self._canvas = self._canvas, np.full((height * UNIT, length * UNIT, 3), PAPER, np.uint8)
        self._write(text, (2, 1.5 * size), color, size)
        turned, self._canvas = np.rot90(self._canvas), canvas
        left, top = round((middle[0] - height / 2) * UNIT), round((middle[1] - length / 2) * UNIT)
        self._canvas[top : top + turned.shape[0], left : left + turned.shape[1]] = turned

    def _text_width(self, text: str, size: float) -> float:
        return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _scale(size), 1)[0][0] / UNIT


def _faded(color: Color) -> Color:
    red, green, blue = ((part + 2 * 255) // 3 for part in color)
    return red, green, blue


def _scale(size: float) -> float:
    """OpenCV's measure of a font whose capitals are about 0.7 ``size`` pixels high."""
    return size * UNIT / 30


def _steps(low: float, high: float) -> list[float]:
    """Round values between two, five or so."""
    raw = (high - low) / 6
    power = 10 ** np.floor(np.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return cast("list[float]", (np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step).tolist())


def _decades(low: float, high: float) -> list[float]:
    """1, 2, 5 and their decimal multiples between two values."""
    values = [factor * 10.0**power for power in range(-6, 9) for factor in (1, 2, 5)]
    return [value for value in values if low <= value <= high]
