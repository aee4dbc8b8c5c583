"""F, contour accuracy: how much of two masks' contours lies near the other's (Perazzi et al., CVPR 2016, section 5.1).

The paper asks for a bipartite matching of contour pixels and its code approximates that by dilation. The code is
followed, so that figures compare with published ones: a contour pixel is matched if the other contour has a pixel
within the radius, however many share it. So is its contour, which lies on one side of the border: pixels that differ
from the one to the right, below, or both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS = 0.008
"""Of the disk, as a share of the picture's diagonal; rounded up to whole pixels."""


@dataclass(frozen=True)
class Matched:
    """Contour pixels of a frame."""

    truth: int
    """How many there are."""
    truth_found: int
    """How many of them are near a predicted one."""
    predicted: int
    predicted_right: int
    """How many of the predicted ones are near a true one."""

    @property
    def precision(self) -> float:
        """Share of predicted pixels that are right; without any, 1."""
        return self.predicted_right / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Share of true pixels that are found; without any, 1."""
        return self.truth_found / self.truth if self.truth else 1.0

    @property
    def f(self) -> float:
        """Harmonic mean of both: 0 where one of the contours is empty and 1 where both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def boundary_measure(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """F of a frame: two (H, W) masks; 1 where neither has a contour.

    Raises:
        ValueError: Shapes differ.
    """
    return match_contours(truth, predicted).f


def match_contours(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Matched:
    """Count the contour pixels of two (H, W) masks.

    Raises:
        ValueError: Shapes differ.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth and prediction differ in shape: {truth.shape = }, {predicted.shape = }")
    disk = _disk(math.ceil(RADIUS * math.hypot(*truth.shape)))
    true_line, line = contour(truth), contour(predicted)
    near_true, near = (cv2.dilate(each.view(np.uint8), disk).view(np.bool_) for each in (true_line, line))
    return Matched(
        truth=int(np.count_nonzero(true_line)),
        truth_found=int(np.count_nonzero(true_line & near)),
        predicted=int(np.count_nonzero(line)),
        predicted_right=int(np.count_nonzero(line & near_true)),
    )


def contour(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) pixels that differ from a neighbor to the right, below, or right below; the picture's edge is none."""
    line = np.zeros(mask.shape, np.bool_)
    line[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    line[:-1] |= mask[:-1] != mask[1:]
    line[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return line


def _disk(radius: int) -> NDArray[np.uint8]:
    """Pixels within ``radius`` of the middle; OpenCV's ellipse is not quite that."""
    steps = np.arange(-radius, radius + 1) ** 2
    return (steps[:, None] + steps <= radius**2).astype(np.uint8)
