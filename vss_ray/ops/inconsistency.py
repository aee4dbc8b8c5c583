"""Inconsistencies Attention Module: where carried labels do not survive the way back and forth.

Paul et al., thesis section 3.3, equations 3.2 to 3.4: labels carried to this picture are carried back to where they
came from and here again; pixels whose label changed are dilated, smoothed, and given to the refiner.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def attention(
    scores: NDArray[np.float32],
    to_source: NDArray[np.float32],
    from_source: NDArray[np.float32],
    *,
    dilation: int,
    smoothing: int,
) -> NDArray[np.float32]:
    """Weight of the refiner, (h, w), 0 to 1.

    Args:
        scores: (h, w, C) carried to this picture.
        to_source: (h, w, 2) displacement from this picture to where they come from.
        from_source: (h, w, 2) displacement from there to this picture.
        dilation: Side of the square by which marked cells grow, cells.
        smoothing: Side of the box that softens their border, cells.
    """
    labels = scores.argmax(2).astype(np.float32)
    there = _follow(labels, from_source)
    back = _follow(there, to_source)
    marked = (labels != back).astype(np.float32)
    if dilation > 1:
        marked = cv2.dilate(marked, np.ones((dilation, dilation), np.uint8))
    return cv2.blur(marked, (smoothing, smoothing)) if smoothing > 1 else marked  # type: ignore[return-value]


def opposite(displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """``from_source`` where only one flow was computed: the thesis' approximation, exact for even motion."""
    return -displacement


def mix(attention: NDArray[np.float32], refined: NDArray[np.float32], carried: NDArray[np.float32]) -> NDArray:
    """Equation 3.4: the refiner's scores where attention is, carried ones elsewhere; (h, w, C)."""
    return carried + attention[..., None] * (refined - carried)


def _follow(labels: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = labels.shape
    x = displacement[..., 0] + np.arange(width, dtype=np.float32)
    y = displacement[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
