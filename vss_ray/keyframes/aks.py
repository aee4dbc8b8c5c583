"""DCFM's adaptive keyframe scheduling, by its code: the next keyframe is the first picture that has changed enough.

The score of two pictures is the mean absolute difference of their ImageNet-normalized RGB; here it is taken from
thumbnails. One unit is about 57 gray levels; useful thresholds lie between 0.1 and 0.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vss_ray.signals import Signals


@dataclass(frozen=True, kw_only=True)
class Config:
    """When enough is enough."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    threshold: float = 0.3
    at_least: int = 2
    """Smallest distance of two keyframes, pictures (MinK)."""
    at_most: int = 60
    """Largest distance of two keyframes, pictures (aks_max)."""

    def __post_init__(self) -> None:
        if not 1 <= self.at_least <= self.at_most:
            raise ValueError(f"wanted 1 <= at_least <= at_most: got {self.at_least = }, {self.at_most = }")


class Aks:
    """Greedy, from left to right."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def may_choose(self, index: int, seconds: float, previous_seconds: float) -> bool:
        """Any picture may turn out to be one."""
        return True

    def choose(self, signals: Signals) -> list[int]:
        """Walk on from each keyframe until the score reaches the threshold or the distance its limit."""
        c, pictures, last = self._config, signals.thumbnails, len(signals) - 1
        keyframes = [0]
        while keyframes[-1] < last:
            previous = keyframes[-1]
            following = min(previous + c.at_least, last)
            while following < last and following - previous < c.at_most:
                if np.abs(pictures[following] - pictures[previous]).mean() >= c.threshold:
                    break
                following += 1
            keyframes.append(following)
        return keyframes


build = Aks
