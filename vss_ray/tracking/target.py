"""Where an object is thought to be and how large: what decides where the next frame is looked at.

Paul et al., ECCV 2022, section 3.4 and the authors' code. Statistics of the mask decide, not its box: the middle is its
center of mass, the size four standard deviations; the size keeps the proportions of the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FAINT = 0.25
"""Probabilities below count for nothing: a mist over the whole crop would move its center of mass."""
DEVIATIONS = 4.0
"""A size in standard deviations; a filled rectangle has 3.46."""
RECENT = 12
"""Frames whose masks say how much there is of an object."""
REMEMBERED, AVERAGED = 60, 30
"""Scales that are kept, and those of them, at most, that a lost object's scale is the mean of."""


@dataclass(frozen=True)
class Config:
    """How an object may change from frame to frame."""

    search: float = 5.0
    """Root of the area that is searched, relative to that of the object."""
    shrink: float = 0.8
    grow: float = 1.2
    """Limits of the scale relative to that of the frame before."""
    lost_growth: float = 1.005
    """The sides of the search area grow by it with every frame that an object is lost; 1 as published."""


@dataclass(frozen=True)
class Target:
    """State of one object, (y, x) in pixels of the frame."""

    center: tuple[float, float]
    base: tuple[float, float]
    """Size on the first frame."""
    scale: float = 1.0
    lost: int = 0
    """Frames since it was last seen."""
    scales: tuple[float, ...] = (1.0,)
    """Of the frames on which it was seen, the last ones."""
    areas: tuple[float, ...] = ()
    """Of its masks on the frames before, pixels, the last ones."""
    colors: tuple[float, ...] = ()
    """See ``colors``."""
    usual: float = 0.0
    """How far from them it usually is."""
    others: tuple[tuple[float, float, int], ...] = ()
    """(y, x) of others that look like it, and frames since they were seen; see ``pieces``."""

    @property
    def size(self) -> tuple[float, float]:
        """Height and width."""
        return self.base[0] * self.scale, self.base[1] * self.scale

    @property
    def box(self) -> NDArray[np.float64]:
        """(4,) around the center."""
        (y, x), (height, width) = self.center, self.size
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])

    def search_area(self, config: Config) -> float:
        """Of the next crop, in pixels of the frame."""
        height, width = self.size
        return (config.search * config.lost_growth**self.lost) ** 2 * height * width

    def seen(self, mask: NDArray[np.floating], config: Config) -> Target:
        """After a frame with a mask (H, W) of probabilities that is not empty."""
        center, size = moments(mask)
        ratio = (size[0] * size[1] / (self.base[0] * self.base[1])) ** 0.5
        scale = float(np.clip(ratio, config.shrink * self.scale, config.grow * self.scale))
        scales = (*self.scales, scale)[-REMEMBERED:]
        areas = (*self.areas, float((mask > 0.5).sum()))[-RECENT:]
        return replace(self, center=center, scale=scale, lost=0, scales=scales, areas=areas)

    def is_covered(self, mask: NDArray[np.floating], share: float) -> bool:
        """Whether of the object less than ``share`` of what was seen lately is left, in a mask (H, W)."""
        return bool(self.areas) and float((mask > 0.5).sum()) < share * float(np.median(self.areas))

    def peaked(self, center: tuple[float, float]) -> Target:
        """After a frame without a mask whose instance score peaks at ``center``: the size stays."""
        return replace(self, center=center, lost=0)

    def missed(self) -> Target:
        """After a frame without the object: the center stays, the scale follows the larger ones of before."""
        lost = self.lost + 1
        larger = [scale for scale in self.scales if scale >= self.scales[-1]]
        taken = larger[-max(2, min(AVERAGED, lost)) :]
        return replace(self, scale=float(np.mean(taken)), lost=lost)


def begin(mask: NDArray) -> Target:
    """The state on the first frame, of a mask (H, W) that is not empty."""
    center, size = moments(mask)
    return Target(center, size)


def moments(mask: NDArray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Center of mass and size, each (y, x), of ``mask`` (H, W): bool, or probabilities.

    Raises:
        ValueError: It is empty.
    """
    clear = np.where(mask >= FAINT, mask, 0).astype(np.float32)
    middles, sizes = [], []
    for axis in (1, 0):
        weight = clear.sum(axis, dtype=np.float64)
        mass = weight.sum()
        if not mass:
            raise ValueError("an empty mask has no center")
        places = np.arange(len(weight)) + 0.5
        middle = (weight * places).sum() / mass
        middles.append(float(middle))
        # A pixel is as wide as itself: a row of one has a size, too.
        sizes.append(DEVIATIONS * float(np.sqrt((weight * (places - middle) ** 2).sum() / mass + 1 / 12)))
    return (middles[0], middles[1]), (sizes[0], sizes[1])
