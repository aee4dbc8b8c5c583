"""How much each of two keyframes is trusted, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.ops.warp import sample


def photometric_error(
    here: NDArray[np.uint8], there: NDArray[np.uint8], displacement: NDArray[np.float32], window: int
) -> NDArray[np.float32]:
    """(h, w) box-blurred mean absolute difference of ``here`` (h, w, 3) and ``there`` along the displacement."""
    difference = cv2.blur(cv2.absdiff(here, sample(there, displacement)), (window, window))
    return difference.mean(-1, dtype=np.float32)


def trust(
    distance: float,
    error: NDArray[np.float32],
    inconsistency: NDArray[np.float32],
    *,
    distance_power: float,
    error_scale: float,
    inconsistency_scale: float,
) -> NDArray[np.float32]:
    """Weight of a keyframe before normalization: nearness x likeness x consistency of the motion.

    Args:
        distance: Distance to the OTHER keyframe over the distance of the two, 0 to 1: 1 is "I am next to it".
        error: (h, w) photometric error, gray levels.
        inconsistency: (h, w) forward-backward error summed along the way, pixels.
        distance_power: 1 is linear in the distance; less lets the pictures decide.
        error_scale: Gray levels that cost a factor e.
        inconsistency_scale: Pixels that cost a factor e.
    """
    return np.float32(distance**distance_power) * np.exp(-error / error_scale - inconsistency / inconsistency_scale)
