"""How steady labels are over time, where the truth is steady (VSPW, Miao et al., CVPR 2021; definition of its code)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def video_consistency(
    truth: Sequence[NDArray[np.integer]], predicted: Sequence[NDArray[np.integer]], window: int
) -> NDArray[np.float64]:
    """VC_n of every window of n consecutive frames: |A and B| / |A|.

    A is the pixels whose true label is constant over the window, B those whose prediction is constant; being right is
    not asked for, so report it beside the mIoU. mVC_n is the mean over the windows of all videos.

    Args:
        truth: n or more (H, W) label maps.
        predicted: As many, same shapes.
        window: n.

    Returns:
        (len(truth) - n,) as the original code counts windows: it leaves out the last one. NaN where A is empty.

    Raises:
        ValueError: The sequences differ in length.
    """
    if len(truth) != len(predicted):
        raise ValueError(f"truth and prediction differ in length: {len(truth) = }, {len(predicted) = }")
    true_steady = [np.equal(a, b) for a, b in pairwise(truth)]
    predicted_steady = [np.equal(a, b) for a, b in pairwise(predicted)]
    values = []
    for start in range(len(truth) - window):
        steps = slice(start, start + window - 1)
        constant = np.logical_and.reduce(true_steady[steps])
        both = constant & np.logical_and.reduce(predicted_steady[steps])
        values.append(both.sum() / constant.sum() if constant.any() else np.nan)
    return np.array(values)
