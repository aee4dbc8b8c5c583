"""How many pixels each class has; one pass over memory."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def count_classes(ids: NDArray[np.uint8] | NDArray[np.uint16], num_classes: int) -> NDArray[np.int64]:
    """(num_classes,) pixels of every class in ``ids`` (H, W); other ids, such as void, are left out."""
    counts = np.zeros(max(num_classes, int(np.iinfo(ids.dtype).max) + 1), np.int64)
    _count(ids, counts)
    return counts[:num_classes]


@njit(cache=True, nogil=True)
def _count(ids, counts):  # pragma: no cover
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            counts[ids[y, x]] += 1
