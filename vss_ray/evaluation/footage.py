"""A sequence read once and judged by many operating points."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.datasets.sequences import LabeledSequence
from vss_ray.errors import DataError
from vss_ray.flow import inverse_search
from vss_ray.frames import Frame
from vss_ray.metrics.warping import landing
from vss_ray.ops.warp import resize_displacement

FLOW_SIDE = 240
"""Shorter side of the pictures between which motion is measured, at most; the same for every operating point."""


class Footage:
    """Everything about a sequence that does not depend on who is judged; kept in memory."""

    def __init__(self, sequence: LabeledSequence) -> None:
        """Read it.

        Raises:
            DataError: It has no frames, or they cannot be read.
        """
        pairs = list(sequence.frames())
        if not pairs:
            raise DataError(f"{sequence.name} has no frames")
        self.sequence = sequence
        self.frames = [frame for frame, _ in pairs]
        self.labels = [labels for _, labels in pairs]
        """(H, W) each, or None."""
        self.references: dict[str, list[NDArray[np.integer]]] = {}
        """What the network says on every frame, by network: see ``measure``."""

    def clip(self, start: int) -> Clip:
        """The frames from ``start`` on as a clip."""
        height, width = self.frames[0].size
        return Clip.of_pictures(self.sequence.name, len(self.frames) - start, self.sequence.rate, height, width)

    @cached_property
    def places(self) -> list[NDArray[np.int32]]:
        """Where the points of every frame but the last are on the next one; see ``metrics.warping.landing``."""
        height, width = self.frames[0].size
        scale = min(1.0, FLOW_SIDE / min(height, width))
        small = [round(side * scale / 2) * 2 for side in (height, width)]
        flow = inverse_search.build(inverse_search.Config())
        gray = [_gray(frame, *small) for frame in self.frames]
        return [
            landing(
                resize_displacement(flow(before, after), height, width),
                resize_displacement(flow(after, before), height, width),
            )
            for before, after in pairwise(gray)
        ]


def _gray(frame: Frame, height: int, width: int) -> NDArray[np.uint8]:
    return frame.planes(height, width).y
