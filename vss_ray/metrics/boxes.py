"""How well boxes fit, row by row: overlap and distance of centers.

A box is (x, y, width, height) in pixels and covers whole ones: x, x + 1, ..., x + width - 1. Corners are inclusive
(the "+ 1" of OTB's code) and the center is at x + (width - 1) / 2; as long as all boxes are in this form, both cancel.
A row without a size (NaN, zero or less) is no box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""(N, 4), one frame a row."""


def is_box(boxes: Boxes) -> NDArray[np.bool_]:
    """(N,) whether a row is a box."""
    return np.asarray(np.isfinite(boxes).all(1) & (boxes[:, 2:] > 0).all(1))


def overlap(truth: Boxes, predicted: Boxes) -> NDArray[np.float64]:
    """(N,) intersection over union; 0 where either is no box."""
    known = is_box(truth) & is_box(predicted)
    ours, theirs = truth[known], predicted[known]
    first = np.maximum(ours[:, :2], theirs[:, :2])
    behind = np.minimum(ours[:, :2] + ours[:, 2:], theirs[:, :2] + theirs[:, 2:])
    shared = np.maximum(behind - first, 0).prod(1)
    values = np.zeros(len(truth))
    values[known] = shared / (ours[:, 2:].prod(1) + theirs[:, 2:].prod(1) - shared)
    return values


def center_distance(truth: Boxes, predicted: Boxes, *, normalized: bool = False) -> NDArray[np.float64]:
    """(N,) distance of the centers in pixels; infinite where either is no box.

    ``normalized``: in widths and heights of the true box (Mueller et al., ECCV 2018, section 4).
    """
    known = is_box(truth) & is_box(predicted)
    ours, theirs = truth[known], predicted[known]
    apart = theirs[:, :2] + (theirs[:, 2:] - 1) / 2 - (ours[:, :2] + (ours[:, 2:] - 1) / 2)
    values = np.full(len(truth), np.inf)
    values[known] = np.hypot(*(apart / ours[:, 2:] if normalized else apart).T)
    return values


def held(boxes: Boxes) -> Boxes:
    """The rows, those that are no box replaced by the last one before that is; leading ones stay.

    It is what toolkits score where a tracker has nothing to say.
    """
    known = is_box(boxes)
    last = np.maximum.accumulate(np.where(known, np.arange(len(boxes)), 0))
    return boxes[last]
