"""What a schedule may look at before any network runs: the small pictures of one run of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.frames import Planes
from vss_ray.ops import fields, motion
from vss_ray.ops.warp import sample

IMAGENET_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
IMAGENET_STD = np.array([58.395, 57.12, 57.375], np.float32)
THUMBNAIL = 4
"""Thumbnails are this many times smaller than the small pictures."""


class Schedule(Protocol):
    """Which pictures of a run become keyframes. A run is a stretch of a clip without a cut."""

    def may_choose(self, index: int, seconds: float, previous_seconds: float) -> bool:
        """Whether picture ``index`` of a run can become a keyframe; the pixels of others need not be kept.

        Times are relative to the first picture of the run.
        """
        ...

    def choose(self, signals: Signals) -> list[int]:
        """Keyframes of a run, ascending, the first picture among them."""
        ...


@dataclass(frozen=True)
class Signals:
    """The small pictures of one run, n in all."""

    planes: Sequence[Planes]
    seconds: NDArray[np.float64]
    """(n,) time of each picture."""
    flow: motion.Flow

    def __len__(self) -> int:
        return len(self.planes)

    @cached_property
    def thumbnails(self) -> NDArray[np.float32]:
        """(n, h, w, 3) ImageNet-normalized RGB."""
        return np.stack([(_thumbnail(planes) - IMAGENET_MEAN) / IMAGENET_STD for planes in self.planes])

    @cached_property
    def risk(self) -> NDArray[np.float64]:
        """(n,) what a label risks when it is carried from picture i - 1 to i; the first is 0.

        The mean absolute difference of luma that motion does not explain, in gray levels, plus ``inconsistent`` in
        percent.
        """
        return self._lost[:, 0] + 100 * self._lost[:, 1]

    @cached_property
    def inconsistent(self) -> NDArray[np.float64]:
        """(n,) share of picture i whose motion to i - 1 and back misses by over half a pixel; the first is 0."""
        return self._lost[:, 1]

    @cached_property
    def _lost(self) -> NDArray[np.float64]:
        gray = [cv2.resize(p.y, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in self.planes]
        views = [motion.view(picture, self.flow) for picture in gray]  # type: ignore[arg-type]
        lost = [(0.0, 0.0)]
        for before, here in pairwise(views):
            back, onward = self.flow(here.seen, before.seen), self.flow(before.seen, here.seen)
            unexplained = cv2.absdiff(here.gray, sample(before.gray, back)).mean()
            there = fields.from_flow(back, back.shape[:2])
            fields.set_round_trip(there, fields.from_flow(onward, onward.shape[:2]))
            lost.append((float(unexplained), float((there[..., 2] > 0.5).mean())))
        return np.array(lost)


def _thumbnail(planes: Planes) -> NDArray[np.float32]:
    height, width = (max(1, side // THUMBNAIL) for side in planes.y.shape)
    yuv = [cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA) for plane in (planes.y, planes.u, planes.v)]
    return cv2.cvtColor(np.stack(yuv, -1), cv2.COLOR_YUV2RGB).astype(np.float32)
