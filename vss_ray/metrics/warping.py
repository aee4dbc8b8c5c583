"""Temporal consistency without labels: what a frame says, against what the next one says of the same points.

TC of ETC (Liu et al., ECCV 2020) and of VSPW's tools: the prediction of frame t + 1 is carried back along the flow
t -> t + 1 and compared with the prediction of t, as an mIoU whose counts are pooled over all pairs. Ids are sampled at
the nearest pixel (ETC's script interpolates ids, which invents classes), and points that leave the picture or are
hidden in t + 1 are left out: the flow must return to where it started (Sundaram et al., ECCV 2010, equation 5).

Labels that are merely repeated score high on a still scene: report it beside the mIoU.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.confusion import confusion, iou_per_class

RELATIVE, ABSOLUTE = np.float32(0.01), np.float32(0.5)
"""How far a round trip may miss: RELATIVE of the squared lengths of both ways, plus ABSOLUTE squared pixels."""
HIDDEN = -1


def landing(onward: NDArray[np.float32], back: NDArray[np.float32]) -> NDArray[np.int32]:
    """Where the points of a frame are on the next one.

    Args:
        onward: (H, W, 2) displacement to the next frame, pixels right and down.
        back: (H, W, 2) displacement from the next frame to this one.

    Returns:
        (H, W) index of the nearest pixel into the flattened next frame; ``HIDDEN`` where the next frame does not show
        the point: outside, or the way back misses the start.
    """
    height, width = onward.shape[:2]
    x = np.rint(onward[..., 0] + np.arange(width, dtype=np.float32)).astype(np.int32)
    y = np.rint(onward[..., 1] + np.arange(height, dtype=np.float32)[:, None]).astype(np.int32)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = np.where(inside, y * width + x, 0)
    returned = back.reshape(-1, 2)[index]
    missed = ((onward + returned) ** 2).sum(-1)
    allowed = RELATIVE * ((onward**2).sum(-1) + (returned**2).sum(-1)) + ABSOLUTE
    return np.where(inside & (missed <= allowed), index, np.int32(HIDDEN))


def warped_confusion(
    labels: NDArray[np.integer], following: NDArray[np.integer], places: NDArray[np.int32], num_classes: int
) -> NDArray[np.int64]:
    """Count pixels by (class now, class of the same point on the next frame).

    Args:
        labels: (H, W) prediction of this frame.
        following: (H, W) prediction of the next frame; pixels where either id is outside ``[0, num_classes)`` (void)
            are not counted.
        places: (H, W), see ``landing``.
        num_classes: C.

    Returns:
        (C, C) int64; counts of several pairs add up.
    """
    visible = places >= 0
    now, then = labels[visible], following.reshape(-1)[places[visible]]
    known = (now < num_classes) & (then < num_classes)
    return confusion(now[known], then[known], num_classes)


def temporal_consistency(counts: NDArray[np.int64]) -> float:
    """TC: mean IoU over the classes that either frame has; NaN without any."""
    iou = iou_per_class(counts)
    return float("nan") if np.isnan(iou).all() else float(np.nanmean(iou))
