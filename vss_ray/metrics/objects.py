"""J and F over the frames of objects, and the figures that DAVIS and YouTube-VOS make of them.

Which frames count differs:

- DAVIS, 2016 and 2017: neither the first frame, on which the mask is given, nor the last.
- YouTube-VOS: every labeled frame after the one on which the object is given, which may be in the middle of the video.

Both take the mean over an object's frames first, then over objects, those of all sequences alike; the objects of a
DAVIS-2016 sequence are one. YouTube-VOS does so for objects of classes that training has ("seen") and for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.boundary import boundary_measure
from vss_ray.metrics.confusion import VOID
from vss_ray.metrics.region import region_similarity

RECALLED = 0.5
"""A frame with more than this counts for the recall that DAVIS reports beside the mean."""


@dataclass
class ObjectScore:
    """What one object's frames add up to; those that several workers scored merge."""

    frames: int = 0
    j_sum: float = 0.0
    f_sum: float = 0.0
    j_recalled: int = 0
    """Frames with J above ``RECALLED``."""
    f_recalled: int = 0

    def add(self, truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> None:
        """Score a frame: two (H, W) masks."""
        j, f = region_similarity(truth, predicted), boundary_measure(truth, predicted)
        self.frames += 1
        self.j_sum += j
        self.f_sum += f
        self.j_recalled += j > RECALLED
        self.f_recalled += f > RECALLED

    def merge(self, other: ObjectScore) -> None:
        """Take over other frames of the same object."""
        self.frames += other.frames
        self.j_sum += other.j_sum
        self.f_sum += other.f_sum
        self.j_recalled += other.j_recalled
        self.f_recalled += other.f_recalled


def scored_frames(start: int, num_frames: int, *, last: bool) -> range:
    """Frames that count for an object that is given on frame ``start``.

    Args:
        start: Its frame.
        num_frames: Of the sequence.
        last: Whether the last frame of the sequence counts: not with DAVIS, but with YouTube-VOS.
    """
    return range(start + 1, num_frames if last else num_frames - 1)


def score_masks(
    truth: Iterable[NDArray[np.uint8] | None],
    predicted: Iterable[NDArray[np.integer]],
    frames: Mapping[int, range],
) -> dict[int, ObjectScore]:
    """Score the objects of a sequence in one pass.

    Args:
        truth: (H, W) ids of objects on every frame, 0 where there is none and 255 where nothing is scored; None where
            a frame is not labeled.
        predicted: As many (H, W) maps of the same ids.
        frames: Object -> frames that count, see ``scored_frames``.

    Returns:
        Object -> its score.

    Raises:
        ValueError: Numbers of frames or sizes differ.
    """
    scores = {each: ObjectScore() for each in frames}
    for number, (true_ids, ids) in enumerate(zip(truth, predicted, strict=True)):
        if true_ids is not None:
            for each in (each for each in frames if number in frames[each]):
                scores[each].add(true_ids == each, (ids == each) & (true_ids != VOID))
    return scores


def davis(scores: Iterable[ObjectScore]) -> dict[str, float]:
    """J&F of DAVIS and what it is made of, over the objects of all sequences; NaN without any that was scored."""
    table = np.array([(s.j_sum, s.j_recalled, s.f_sum, s.f_recalled) for s in scores if s.frames], np.float64)
    lengths = np.array([s.frames for s in scores if s.frames], np.float64)
    if not lengths.size:
        return dict.fromkeys(("j_and_f", "j_mean", "j_recall", "f_mean", "f_recall"), float("nan"))
    j_mean, j_recall, f_mean, f_recall = (table / lengths[:, None]).mean(0).tolist()
    return {
        "j_and_f": (j_mean + f_mean) / 2,
        "j_mean": j_mean,
        "j_recall": j_recall,
        "f_mean": f_mean,
        "f_recall": f_recall,
    }


def youtube_vos(seen: Iterable[ObjectScore], unseen: Iterable[ObjectScore]) -> dict[str, float]:
    """G of YouTube-VOS, the mean of J and F of both groups of objects; NaN where a group is empty."""
    known, new = davis(seen), davis(unseen)
    parts = {
        "j_seen": known["j_mean"],
        "j_unseen": new["j_mean"],
        "f_seen": known["f_mean"],
        "f_unseen": new["f_mean"],
    }
    return {"g": sum(parts.values()) / len(parts), **parts}
