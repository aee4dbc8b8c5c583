"""Agreement of carried labels with the network's own, by class and distance, beside the network's with itself.

Counts of audited pictures add up over clips. Pixels of one picture are anything but independent, so the confidence
interval treats pictures as the sample: mean of their shares, Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class AuditCounts:
    """Pixel counts by distance to the keyframe and class, and the share of every audited picture."""

    by_distance: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """distance -> (3, C): pixels, agreeing, repeated."""
    shares: list[float] = field(default_factory=list)
    """Agreement of each audited picture."""
    ceilings: list[float] = field(default_factory=list)
    """The network's agreement with itself on each."""

    def add(self, pictures: Iterable[dict[str, Any]]) -> None:
        """Count audited pictures, in the form of the clips table's ``audit`` column."""
        for picture in pictures:
            counts = np.array([picture["pixels"], picture["agreeing"], picture["repeated"]], np.int64)
            known = self.by_distance.get(picture["distance"])
            self.by_distance[picture["distance"]] = counts if known is None else known + counts
            pixels, agreeing, repeated = counts.sum(1)
            self.shares.append(float(agreeing / pixels))
            self.ceilings.append(float(repeated / pixels))

    def merge(self, other: AuditCounts) -> None:
        """Take over what another one counted, of the same classes."""
        for distance, counts in other.by_distance.items():
            known = self.by_distance.get(distance)
            self.by_distance[distance] = counts if known is None else known + counts
        self.shares += other.shares
        self.ceilings += other.ceilings

    def per_class(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(C,) agreement and (C,) ceiling of every class; NaN where the network saw none of it."""
        pixels, agreeing, repeated = np.sum(list(self.by_distance.values()), axis=0)
        with np.errstate(invalid="ignore"):
            return agreeing / np.where(pixels, pixels, np.nan), repeated / np.where(pixels, pixels, np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; empty when nothing was audited."""
        if not self.shares:
            return {}
        agreement, ceiling = self.per_class()
        return {
            "pictures": len(self.shares),
            "agreement": interval(self.shares),
            "self_agreement": interval(self.ceilings),
            "by_distance": {
                str(distance): float(counts[1].sum() / counts[0].sum())
                for distance, counts in sorted(self.by_distance.items())
            },
            "by_class": [None if math.isnan(value) else float(value) for value in agreement],
            "self_by_class": [None if math.isnan(value) else float(value) for value in ceiling],
        }


def interval(shares: list[float]) -> dict[str, float | None]:
    """Mean and the half width of its 95 % interval (None for a single picture)."""
    n = len(shares)
    if n < 2:
        return {"mean": float(np.mean(shares)), "half_width": None}
    # Student's t at 97.5 % by its expansion in 1/degrees (Abramowitz and Stegun 26.7.5); right to 1 % from n = 4 on.
    z, df = 1.959964, n - 1
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    return {"mean": float(np.mean(shares)), "half_width": float(t * np.std(shares, ddof=1) / math.sqrt(n))}
