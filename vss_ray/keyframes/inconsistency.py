"""Adaptive keyframes from the inconsistent area itself: the next one is due when motion has lost enough pixels.

Named as future work of EVS (Paul, thesis section 6.2; its attention module marks that area): the share of the picture
whose forward and backward motion disagree is summed from picture to picture, and a keyframe starts the sum anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vss_ray.signals import Signals


@dataclass(frozen=True, kw_only=True)
class Config:
    """When enough is enough."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    area: float = 1.0
    """Share of the picture, summed over the pictures since the last keyframe, that makes the next one due."""
    at_least: int = 2
    """Smallest distance of two keyframes, pictures."""
    at_most: int = 60
    """Largest distance of two keyframes, pictures."""

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= self.at_most or self.area <= 0:
            raise ValueError(f"wanted 1 <= at_least <= at_most and area > 0: got {self}")


class Inconsistency:
    """Greedy, from left to right."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def may_choose(self, index: int, seconds: float, previous_seconds: float) -> bool:
        """Any picture may turn out to be one."""
        return True

    def choose(self, signals: Signals) -> list[int]:
        """Walk on until the area is used up or the distance at its limit."""
        c = self._config
        keyframes, lost = [0], 0.0
        for picture in range(1, len(signals)):
            lost += float(signals.inconsistent[picture])
            distance = picture - keyframes[-1]
            if distance >= c.at_most or (distance >= c.at_least and lost >= c.area):
                keyframes.append(picture)
                lost = 0.0
        return keyframes


build = Inconsistency
