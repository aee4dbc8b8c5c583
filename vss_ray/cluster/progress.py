"""The one line that Ray Data cannot know: how much video a second of waiting buys, and how long it will last."""

from __future__ import annotations

import math
import time

from rich.console import Console

EVERY_SECONDS = 5.0


class Progress:
    """Prints at most every few seconds."""

    def __init__(self, console: Console, total_seconds: float) -> None:
        self._console, self._total, self._done = console, total_seconds, 0.0
        self._started = self._printed = time.time()

    def add(self, video_seconds: float, since: float) -> None:
        """Count a clip that is through, one way or the other; the work began at ``since``, Unix time."""
        self._done += video_seconds
        now = time.time()
        if now - self._printed < EVERY_SECONDS and self._done < self._total - 1e-6:
            return
        self._printed = now
        speed = self._done / max(now - (since if math.isfinite(since) else self._started), 1e-6)
        left = (self._total - self._done) / speed if speed else 0.0
        self._console.print(
            f"{self._done:,.0f} of {self._total:,.0f} s of video, {speed:.1f} s a second, {clock(left)} left",
            highlight=False,
        )


def clock(seconds: float) -> str:
    """Such as ``2 h 05 min``, ``3 min 20 s`` or ``8 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
