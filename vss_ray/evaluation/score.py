"""What an operating point reached: ratios, made of a tally's counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray.evaluation.tally import STAGES, Tally
from vss_ray.metrics.confusion import iou_per_class, mean_iou, weighted_iou
from vss_ray.metrics.warping import temporal_consistency

NAN = float("nan")


@dataclass(frozen=True)
class Score:
    """Shares from 0 to 1; NaN where there is nothing to tell them from."""

    mean_iou: float
    """Of one confusion matrix over all labeled frames; after all phases of a schedule, the "average" of GSVNet."""
    minimum: float
    """mIoU of the frames that are farthest from their keyframe: the "minimum" of GSVNet, what EVS reports."""
    weighted_iou: float
    iou: NDArray[np.float64]
    """(C,)"""
    by_distance: dict[int, float]
    """mIoU of the frames at each distance to the keyframe, confusion pooled."""
    vc8: float
    vc16: float
    """mVC_8 and mVC_16; NaN where no window has a steady pixel, and for sequences of 8 or 16 frames or fewer."""
    temporal_consistency: float
    """TC along the flow; needs no labels."""
    agreement: dict[str, Any]
    """With the network on every frame, over the carried frames, see ``AuditCounts``; needs no labels."""
    keyframe_share: float
    network_share: float
    """Pictures that the network saw."""
    core_ms: dict[str, float]
    """CPU milliseconds a frame by stage; the first pass of a process compiles, so look at these after a second one."""

    @classmethod
    def of(cls, tally: Tally) -> Score:
        """The ratios of what was counted."""
        counts = tally.by_distance
        total = np.sum(list(counts.values()), axis=0) if counts else np.zeros((tally.num_classes,) * 2, np.int64)
        by_distance = {distance: mean_iou(counts[distance]) for distance in sorted(counts)}
        consistency = {n: sums[0] / sums[1] if sums[1] else NAN for n, sums in tally.consistency.items()}
        num_frames, keyframes, network = tally.frames.tolist()
        return cls(
            mean_iou=mean_iou(total),
            minimum=by_distance[max(by_distance)] if by_distance else NAN,
            weighted_iou=weighted_iou(total),
            iou=iou_per_class(total),
            by_distance=by_distance,
            vc8=float(consistency[8]),
            vc16=float(consistency[16]),
            temporal_consistency=temporal_consistency(tally.warped),
            agreement=tally.agreement.to_dict(),
            keyframe_share=keyframes / num_frames,
            network_share=network / num_frames,
            core_ms=dict(zip(STAGES, (1000 * tally.seconds / num_frames).tolist(), strict=True)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None for NaN."""
        return {
            "mean_iou": _plain(self.mean_iou),
            "minimum": _plain(self.minimum),
            "weighted_iou": _plain(self.weighted_iou),
            "iou": [_plain(value) for value in self.iou.tolist()],
            "by_distance": {str(distance): _plain(value) for distance, value in self.by_distance.items()},
            "vc8": _plain(self.vc8),
            "vc16": _plain(self.vc16),
            "temporal_consistency": _plain(self.temporal_consistency),
            "agreement": self.agreement,
            "keyframe_share": self.keyframe_share,
            "network_share": self.network_share,
            "core_ms": self.core_ms,
        }


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value
