"""How long a frame lasts, and whether anything is missing before it; what questions about time rest on.

A frame ends where the next one begins. Where the next one is missing (its clip failed, or the video is over) it lasts
as long as the frame before it did, but not into the next frame that is there. A row of the coarse pass stands for all
of its clip up to the next row or the clip's end.

Places number the rows of all videos so that rows between which nothing is missing have neighboring numbers, and no
others. Rows that match a question then fall into spans by one subtraction: a row's place less its rank among those
that match is the same all through a span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.index.schema import FULL


@dataclass
class Clock:
    """Goes through the clips of all videos in order; a clip's times are known once the next clip is."""

    _step: float = 0.0
    """Seconds that the last frame with a next one took; 0 at the start of a video."""
    _place: int = 0
    """Of the next row."""

    def times(
        self, clip: dict[str, Any], frames: pa.Table, then: tuple[dict[str, Any], pa.Table] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Columns ``lasts`` and ``place`` of a clip's rows.

        Args:
            clip: Its row.
            frames: Its frame rows.
            then: Row and frame rows of the next clip, if it is of the same video.
        """
        starts, numbers = (frames[name].to_numpy() for name in ("pts_seconds", "frame"))
        if not len(starts):
            return starts, np.zeros(0, np.int64)
        is_full = clip["pass"] == FULL
        next_start, next_frame = (np.inf, -1)
        if then is not None and len(then[1]):
            next_start, next_frame = (then[1][name][0].as_py() for name in ("pts_seconds", "frame"))
        has_next = np.append(numbers[1:] == numbers[:-1] + 1, next_frame == numbers[-1] + 1)
        if not is_full:
            has_next = np.append(np.ones(len(starts) - 1, bool), next_frame == clip["stop"])
        ends = np.append(starts[1:], next_start)
        if is_full:
            steps = np.where(has_next, ends - starts, np.nan)
            ends = np.where(has_next, ends, np.minimum(ends, starts + self._last(steps)))
        elif not has_next[-1]:
            ends[-1] = min(next_start, max(starts[-1], clip["stop_seconds"]))
        places = self._place + np.append(0, np.cumsum(np.where(has_next, 1, 2)))
        self._place = int(places[-1])
        if then is None:
            self._step = 0.0
        return ends - starts, places[:-1]

    def _last(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """For every row the last step before it that is known, those of earlier clips included."""
        known = np.append(self._step, steps)
        places = np.maximum.accumulate(np.where(np.isnan(known), 0, np.arange(len(known))))
        last = known[places]
        self._step = float(last[-1])
        return last[:-1]
