"""Masks of several objects in one picture: every pixel belongs to one of them at most.

Soft aggregation, Oh et al., CVPR 2018 and as Bhat et al., ECCV 2020, use it: what is background for all is background,
and odds decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CERTAIN = 1e-5
"""Probabilities stay this far from 0 and 1."""


def aggregate(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """(K, H, W), with the background together 1 at every pixel, of (K, H, W) that know nothing of each other.

    One object alone stays what it was.
    """
    if len(probabilities) == 1:
        return probabilities
    own = np.clip(probabilities, CERTAIN, 1 - CERTAIN)
    odds = own / (1 - own)
    background = np.clip((1 - own).prod(0), CERTAIN, 1 - CERTAIN)
    return odds / (odds.sum(0) + background / (1 - background))


def label_map(probabilities: NDArray[np.float32], ids: NDArray[np.integer]) -> NDArray[np.uint16]:
    """(H, W) the object that a pixel belongs to, by its id; 0 where none has more than half.

    Args:
        probabilities: (K, H, W).
        ids: (K,) from 1.
    """
    if not len(probabilities):
        return np.zeros(probabilities.shape[1:], np.uint16)
    best = probabilities.argmax(0)
    return np.where(probabilities.max(0) > 0.5, np.asarray(ids)[best], 0).astype(np.uint16)
