"""What the shortcut costs: on a sample of pictures the network runs too, and carried labels are compared with its own.

The ceiling stands beside it: how often the network repeats its own labels from one picture to the next. A carried label
cannot be expected to agree with a network more than the network agrees with itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.frames import Audit, Planes
from vss_ray.ops.motion import Flow
from vss_ray.ops.upsample import upsample_labels
from vss_ray.ops.warp import resize_displacement
from vss_ray.scan import Scan, drawn


def audited(scanned: Scan, keyframes: Sequence[int], clip: Clip, share: float) -> list[int]:
    """The carried pictures of the sample that have a predecessor in their own run, ascending."""
    if not share:
        return []
    firsts = {run.start for run in scanned.runs} | set(keyframes)
    frames = np.unique(scanned.picture_of_frame, return_index=True)[1]  # the frame that first shows each picture
    return [
        picture
        for picture, frame in enumerate(frames.tolist())
        if picture not in firsts and drawn(clip.video_id, clip.start + frame, share)
    ]


def audit_motion(planes: Sequence[Planes], pictures: Sequence[int], flow: Flow) -> dict[str, NDArray]:
    """What ``compare`` needs later: the pictures, and their motion to their predecessors (n, gh, gw, 2) float16."""
    grid = planes[0].u.shape
    fields = [resize_displacement(flow(planes[p].y, planes[p - 1].y), *grid).astype(np.float16) for p in pictures]
    return {
        "audited": np.array(pictures, np.int32),
        "audit_flow": np.stack(fields) if fields else np.zeros((0, *grid, 2), np.float16),
    }


def compare(carried: NDArray[np.integer], scores: NDArray[np.float32], followed: NDArray[np.float32]) -> Audit:
    """Count agreement on one picture.

    Args:
        carried: (H, W) labels that the method gave.
        scores: (h, w, C) what the network says of this picture.
        followed: (h, w, C) what it said of the previous picture, warped here.
    """
    num_classes = scores.shape[2]
    own = upsample_labels(scores, *carried.shape)
    previous = upsample_labels(followed, *carried.shape)
    return Audit(
        pixels=np.bincount(own.ravel(), minlength=num_classes),
        agreeing=np.bincount(own[own == carried], minlength=num_classes),
        repeated=np.bincount(own[own == previous], minlength=num_classes),
    )
