"""What a training was like, epoch by epoch: as a table and as a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Row = Mapping[str, float]
"""``epoch`` from 1 on, ``loss`` and its parts, ``learning_rate``, ``seconds``."""
NOT_LOSSES = ("epoch", "learning_rate", "seconds")
WIDTH, HEIGHT = 960, 600
LEFT, RIGHT, TOP, BOTTOM = 90, 30, 40, 60
INK, GRID, PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
COLORS = ((30, 30, 30), (180, 90, 0), (40, 120, 220), (60, 150, 60), (160, 60, 160), (0, 160, 190))
"""BGR; the first is the total's."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """A CSV with one line for every epoch."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_curve(path: Path, rows: Sequence[Row]) -> None:
    """A PNG of the loss and its parts over the epochs."""
    path.write_bytes(cv2.imencode(".png", draw_curve(rows))[1].tobytes())


def draw_curve(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """The picture of ``write_curve``, BGR."""
    picture: Any = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    names = sorted((name for name in rows[0] if name not in NOT_LOSSES), key=lambda name: name != "loss")
    epochs = [row["epoch"] for row in rows]
    values = [row[name] for row in rows for name in names]
    low, high = min(0.0, *values), max(values)
    high = high if high > low else low + 1
    first, last = epochs[0], max(epochs[-1], epochs[0] + 1)

    def place(epoch: float, value: float) -> tuple[int, int]:
        x = LEFT + (epoch - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return round(x), round(y)

    for tick in ticks(low, high):
        _, y = place(first, tick)
        cv2.line(picture, (LEFT, y), (WIDTH - RIGHT, y), GRID, 1)
        _write(picture, f"{tick:g}", (LEFT - 10, y + 5), align=1.0)
    for tick in ticks(first, last):
        if tick == round(tick):
            x, y = place(tick, low)
            cv2.line(picture, (x, y), (x, y + 5), INK, 1)
            _write(picture, f"{tick:g}", (x, y + 24), align=0.5)
    cv2.rectangle(picture, (LEFT, TOP), (WIDTH - RIGHT, HEIGHT - BOTTOM), INK, 1)
    _write(picture, "epoch", ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 12), align=0.5)
    for i, name in enumerate(names):
        color = COLORS[i % len(COLORS)]
        line = np.array([place(row["epoch"], row[name]) for row in rows], np.int32)
        cv2.polylines(picture, [line], False, color, 2, cv2.LINE_AA)
        cv2.circle(picture, (int(line[-1][0]), int(line[-1][1])), 4, color, cv2.FILLED, cv2.LINE_AA)
        corner = (WIDTH - RIGHT - 14, TOP + 26 + 24 * i)
        _write(picture, f"{name} {rows[-1][name]:.4g}", corner, align=1.0, color=color)
    return picture


def ticks(low: float, high: float, most: int = 8) -> list[float]:
    """Round numbers from ``low`` to ``high``, ``most`` or fewer, and evenly apart."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (power * factor) <= most - 1)
    return [round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _write(picture: Any, text: str, at: tuple[int, int], *, align: float, color: tuple[int, int, int] = INK) -> None:
    """Text whose share ``align`` lies left of ``at``."""
    (width, _), _ = cv2.getTextSize(text, FONT, 0.5, 1)
    cv2.putText(picture, text, (at[0] - round(align * width), at[1]), FONT, 0.5, color, 1, cv2.LINE_AA)
