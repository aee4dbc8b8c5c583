"""The geometry of a report's charts: numbers become the coordinates that the template draws; no markup is made here.

Stacked charts are drawn in a box one unit a column wide and 1,000 units high, and stretched by the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss_ray.export.report_facts import Agreement

HEIGHT = 1000
LEAST = 0.002
"""A class that never covers as much is left out of a stacked chart."""
LEVELS = 6
"""Steps of a heat row."""


@dataclass(frozen=True)
class Area:
    """One class of a stacked chart, or one level of a heat row."""

    index: int
    d: str
    """Of an SVG path."""
    opacity: float = 1.0


@dataclass(frozen=True)
class Point:
    """A measured share in a chart of ``width`` x ``height``."""

    x: float
    y: float
    low: float
    high: float
    ceiling: float
    label: str
    text: str


@dataclass(frozen=True)
class Scatter:
    """Points with their intervals, and the lines behind them."""

    width: int
    height: int
    points: list[Point]
    lines: list[tuple[float, str]]
    """(y, label) of the grid."""


def stacked(shares: NDArray[np.float64]) -> list[Area]:
    """(columns, C) mean shares as areas on top of one another, the first class at the bottom; NaN leaves a hole."""
    known = ~np.isnan(shares[:, 0])
    tops = np.rint(HEIGHT * (1 - np.cumsum(np.nan_to_num(shares), 1))).astype(int)
    floors = np.concatenate([np.full((len(shares), 1), HEIGHT), tops[:, :-1]], 1)
    borders = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    areas = []
    for index in range(shares.shape[1]):
        if np.nanmax(shares[:, index], initial=0) < LEAST:
            continue
        outline = "".join(
            _outline(int(first), tops[first:last, index].tolist(), floors[first:last, index].tolist())
            for first, last in zip(borders[::2], borders[1::2], strict=True)
        )
        areas.append(Area(index, outline))
    return areas


def heat(shares: NDArray[np.float64], index: int, largest: float) -> list[Area]:
    """(columns,) shares of one class as cells of a row, one area a level; by the root, so that little is seen."""
    strength = np.sqrt(np.nan_to_num(shares) / largest) if largest > 0 else np.zeros(len(shares))
    levels = np.minimum(np.ceil(strength * LEVELS), LEVELS).astype(int)
    cells = {level: np.flatnonzero(levels == level).tolist() for level in range(1, LEVELS + 1)}
    return [
        Area(index, "".join(f"M{column} 0h1v1h-1z" for column in columns), level / LEVELS)
        for level, columns in cells.items()
        if columns
    ]


def scatter(rows: list[Agreement], width: int = 640, height: int = 240) -> Scatter:
    """Agreement by distance, from left to right."""
    left, right, top, bottom = 48, 16, 12, 28
    lowest = min(min(row.mean - (row.half_width or 0), row.ceiling) for row in rows)
    floor = max(0.0, math.floor(lowest * 20) / 20)
    floor = min(floor, 0.95)

    def y(share: float) -> float:
        share = min(max(share, floor), 1.0)
        return round(top + (1 - share) / (1 - floor) * (height - top - bottom), 1)

    step = (width - left - right) / len(rows)
    points = [
        Point(
            round(left + (number + 0.5) * step, 1),
            y(row.mean),
            y(row.mean - (row.half_width or 0)),
            y(row.mean + (row.half_width or 0)),
            y(row.ceiling),
            row.name,
            agreement_text(row),
        )
        for number, row in enumerate(rows)
    ]
    count = round((1 - floor) * 20)
    every = max(1, math.ceil(count / 5))
    lines = [(y(1 - n / 20), f"{100 - 5 * n} %") for n in range(0, count + 1, every)]
    return Scatter(width, height, points, lines)


def agreement_text(row: Agreement) -> str:
    """A measurement as people read it."""
    margin = "" if row.half_width is None else f" ± {100 * row.half_width:.1f}"
    return f"{100 * row.mean:.1f}{margin} %, ceiling {100 * row.ceiling:.1f} %, {row.pictures} pictures"


def _outline(first: int, tops: list[int], floors: list[int]) -> str:
    """Around some columns: along the tops to the right, along the floors back."""
    there = "".join(f"V{y}h1" for y in tops[1:])
    back = "".join(f"V{y}h-1" for y in reversed(floors))
    return f"M{first} {tops[0]}h1{there}{back}z"
