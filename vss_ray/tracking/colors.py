"""What an object is colored like: the mean colors of its upper, middle and lower third.

Coarse, but told from few pixels and independent of where a network looks: it tells look-alikes apart that features at a
stride of 16 pixels do not. As Gray and Tao, ECCV 2008, describe people: by stripes. Logarithms make of light a shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRIPES = 3
CORE = 0.8
"""Probability of the pixels that count: rims have the colors of what is behind."""
FEWEST = 40
"""Pixels that say something."""
DARK = 16.0
"""Added to colors of 255, so that the noise of dark ones means little."""

Colors = tuple[float, ...]


@dataclass(frozen=True)
class Config:
    """Distances are root mean squares of logarithms: 0.1 is a difference of 10 %."""

    enabled: bool = True
    tolerance: float = 0.08
    """Distance at which another object is likely, for one whose colors hardly change."""
    spread: float = 2.5
    """The same, in its own usual distance from its mean."""
    begin: float = 0.2
    """What counts as usual at first."""
    rate: float = 0.1
    """Of what it is colored like now in what is remembered."""


def describe(picture: NDArray[np.uint8], mask: NDArray[np.float32]) -> Colors:
    """Nine numbers of a picture (h, w, 3) and a mask (h, w) of probabilities; none where it has too few pixels."""
    rows, columns = np.nonzero(mask > CORE)
    if len(rows) < FEWEST:
        return ()
    values = picture[rows, columns].astype(np.float64)
    stripe = (rows - rows[0]) * STRIPES // (rows[-1] - rows[0] + 1)
    counts = np.bincount(stripe, minlength=STRIPES)
    if not counts.all():
        return ()
    sums = np.stack([np.bincount(stripe, values[:, each], STRIPES) for each in range(3)], 1)
    return tuple(np.log(sums / counts[:, None] + DARK).ravel().tolist())


def distance(one: Colors, other: Colors) -> float:
    """0 where either is unknown."""
    if not one or not other:
        return 0.0
    return float(np.sqrt(np.mean(np.square(np.subtract(one, other)))))


def likeness(away: float, usual: float, config: Config) -> float:
    """0 to 1, of a distance and the one that is usual for the object."""
    return float(np.exp(-((away / max(config.tolerance, config.spread * usual)) ** 2) / 2))


def mixed(before: Colors, now: Colors, rate: float) -> Colors:
    """What is remembered after a frame."""
    if not before or not now:
        return before or now
    return tuple((1 - rate) * a + rate * b for a, b in zip(before, now, strict=True))
