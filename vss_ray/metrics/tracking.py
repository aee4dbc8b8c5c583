"""Success, precision and average overlap of tracked boxes, as OTB, LaSOT and GOT-10k define them.

Wu et al., TPAMI 2015; Mueller et al., ECCV 2018 (normalized precision); Fan et al., CVPR 2019; Huang et al., TPAMI
2021. Where code and paper differ the benchmarks' own code is followed. OTB and LaSOT take the ratios of each sequence
and then their mean; GOT-10k pools the frames of all.

Frames without the object are left out, as LaSOT's and GOT-10k's own tools do. Some others count them as failures
(pytracking's for LaSOT, behind most published tables): ``of_all`` gives those figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.boxes import Boxes, center_distance, held, is_box, overlap

OVERLAPS = np.arange(21) / 20
"""Thresholds of the success curve."""
PIXELS = np.arange(51.0)
"""Thresholds of precision; 20 is the one that is reported."""
SIZES = np.arange(51) / 100
"""Thresholds of normalized precision; 0.20 is the one that is reported."""
REPORTED = 20
"""Place of both."""


@dataclass
class BoxCounts:
    """Frames by threshold; those of parts of a sequence, or of several, merge."""

    frames: int = 0
    """On which the object is there and scored."""
    absent: int = 0
    """On which it is not."""
    overlap_sum: float = 0.0
    above: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(OVERLAPS), np.int64))
    """(21,) frames whose overlap is strictly above ``OVERLAPS``: boxes that do not touch are above none."""
    near: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(PIXELS), np.int64))
    """(51,) frames whose centers are ``PIXELS`` apart or less."""
    near_normalized: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SIZES), np.int64))
    """(51,) frames whose centers are ``SIZES`` of the true box apart or less."""

    def add(self, truth: Boxes, predicted: Boxes) -> None:
        """Count frames: (N, 4) rows as they are; where the truth is no box, the object is absent.

        Raises:
            ValueError: Shapes differ.
        """
        if truth.shape != predicted.shape:
            raise ValueError(f"truth and prediction differ in shape: {truth.shape = }, {predicted.shape = }")
        there = is_box(truth)
        truth, predicted = truth[there], predicted[there]
        overlaps = overlap(truth, predicted)
        self.frames += len(truth)
        self.absent += len(there) - len(truth)
        self.overlap_sum += float(overlaps.sum())
        self.above += (overlaps[:, None] > OVERLAPS).sum(0)
        self.near += (center_distance(truth, predicted)[:, None] <= PIXELS).sum(0)
        self.near_normalized += (center_distance(truth, predicted, normalized=True)[:, None] <= SIZES).sum(0)

    def merge(self, other: BoxCounts) -> None:
        """Take over what another one counted."""
        self.frames += other.frames
        self.absent += other.absent
        self.overlap_sum += other.overlap_sum
        self.above += other.above
        self.near += other.near
        self.near_normalized += other.near_normalized


def one_pass(truth: Boxes, predicted: Boxes) -> BoxCounts:
    """Count a sequence as OTB and LaSOT do: the first box counts as right, and where there is none the last one holds.

    Args:
        truth: (N, 4), rows without a size where the object is absent.
        predicted: (N, 4).
    """
    counts = BoxCounts()
    counts.add(truth, held(np.concatenate([truth[:1], predicted[1:]])))
    return counts


def got10k(truth: Boxes, predicted: Boxes, height: int, width: int) -> BoxCounts:
    """Count a sequence as GOT-10k does: the first frame is left out, and boxes end where the picture does.

    Its code moves what begins outside to the edge and keeps the size, and only then cuts; followed here.

    Args:
        truth: (N, 4), rows without a size where the object is absent.
        predicted: (N, 4).
        height: Of the picture.
        width: Of the picture.
    """
    counts = BoxCounts()
    counts.add(*(_inside(boxes[1:], height, width) for boxes in (truth, predicted)))
    return counts


def success(counts: BoxCounts, *, of_all: bool = False) -> NDArray[np.float64]:
    """(21,) success curve: share of frames above each threshold; its mean is the AUC. NaN without frames."""
    return counts.above / _frames(counts, of_all)


def averaged(sequences: Iterable[BoxCounts], *, of_all: bool = False) -> dict[str, float]:
    """AUC, precision at 20 pixels and normalized precision at 0.20: means over sequences; NaN without any."""
    rows = [
        (
            success(counts, of_all=of_all).mean(),
            counts.near[REPORTED] / _frames(counts, of_all),
            counts.near_normalized[REPORTED] / _frames(counts, of_all),
        )
        for counts in sequences
    ]
    means = np.mean(rows, axis=0).tolist() if rows else [float("nan")] * 3
    return dict(zip(("auc", "precision", "normalized_precision"), means, strict=True))


def pooled(counts: BoxCounts) -> dict[str, float]:
    """AO, SR 0.50 and SR 0.75 of GOT-10k, over all frames that were counted; NaN without any."""
    frames = _frames(counts, False)
    return {
        "ao": counts.overlap_sum / frames,
        "sr_50": float(counts.above[10] / frames),
        "sr_75": float(counts.above[15] / frames),
    }


def _frames(counts: BoxCounts, of_all: bool) -> float:
    return (counts.frames + of_all * counts.absent) or float("nan")


def _inside(boxes: Boxes, height: int, width: int) -> Boxes:
    size = np.array([width, height], np.float64)
    corner = np.clip(boxes[:, :2], 0, size)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0, size - corner)], 1)
