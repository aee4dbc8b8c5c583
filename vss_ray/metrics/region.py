"""J, region similarity: how much of two masks they share (Perazzi et al., CVPR 2016, section 5.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def region_similarity(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """J of a frame: intersection over union of two (H, W) masks; 1 where both are empty.

    Raises:
        ValueError: Shapes differ.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth and prediction differ in shape: {truth.shape = }, {predicted.shape = }")
    union = int(np.count_nonzero(truth | predicted))
    return int(np.count_nonzero(truth & predicted)) / union if union else 1.0
