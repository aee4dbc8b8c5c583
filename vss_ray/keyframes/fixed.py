"""A keyframe every so many pictures, or every so many seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vss_ray.signals import Signals


@dataclass(frozen=True, kw_only=True)
class Config:
    """Exactly one of the two distances."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    every: int | None = None
    """Pictures from keyframe to keyframe."""
    every_seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.every_seconds is None):
            raise ValueError(f"give either every or every_seconds: got {self.every = }, {self.every_seconds = }")
        if (self.every is not None and self.every < 1) or (self.every_seconds is not None and self.every_seconds <= 0):
            raise ValueError(f"the distance must be positive: got {self.every = }, {self.every_seconds = }")


class Fixed:
    """Known in advance: only the keyframes' pixels need to be kept."""

    def __init__(self, config: Config) -> None:
        self._every, self._seconds = config.every, config.every_seconds

    def may_choose(self, index: int, seconds: float, previous_seconds: float) -> bool:
        """See ``Schedule`` in signals.py."""
        if self._every is not None:
            return index % self._every == 0
        # A tick that falls between two pictures belongs to the later one; times are sums of rounded ticks.
        every = self._seconds or 1.0
        return index == 0 or _tick(seconds, every) > _tick(previous_seconds, every)

    def choose(self, signals: Signals) -> list[int]:
        """See ``Schedule`` in signals.py."""
        seconds = signals.seconds - signals.seconds[0]
        previous = [0.0, *seconds[:-1]]
        return [
            i for i, (now, before) in enumerate(zip(seconds, previous, strict=True)) if self.may_choose(i, now, before)
        ]


def _tick(seconds: float, every: float) -> int:
    return int((seconds + 1e-4) / every)


build = Fixed
