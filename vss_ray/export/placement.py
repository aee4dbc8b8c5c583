"""Where labels go in a picture so that they lie on nothing: local search over places around each anchor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ANGLES, RADII = 24, 5
"""Places tried around an anchor: directions, and distances."""
ROUNDS = 30
REACH = 0.02
"""Cost of a pixel of distance between a label and its anchor, in pixels of overlap."""


def place_labels(
    anchors: NDArray[np.floating],
    sizes: NDArray[np.floating],
    bounds: tuple[float, float, float, float],
    avoid: NDArray[np.floating],
    *,
    gap: float,
) -> NDArray[np.float64]:
    """Boxes of labels that overlap each other and ``avoid`` as little as possible, near their anchors.

    Args:
        anchors: (n, 2) x and y of the things that are labeled.
        sizes: (n, 2) width and height of the labels.
        bounds: Left, top, right and bottom; labels stay inside.
        avoid: (m, 5) left, top, right, bottom of what should stay visible, and what a pixel of overlap with it costs;
            overlap of two labels costs 1.
        gap: Distance from an anchor to the nearest place.

    Returns:
        (n, 4) left, top, right, bottom.
    """
    if not len(anchors):
        return np.zeros((0, 4))
    choices = [_choices(anchor, size, bounds, gap) for anchor, size in zip(anchors, sizes, strict=True)]
    alone = [
        (_overlap(boxes, avoid[:, :4]) * avoid[:, 4]).sum(1) + REACH * (far - far.min()) * np.sqrt(size.prod())
        for (boxes, far), size in zip(choices, sizes, strict=True)
    ]
    boxes = np.stack([places[np.argmin(cost)] for (places, _), cost in zip(choices, alone, strict=True)])
    for _ in range(ROUNDS):
        before = boxes.copy()
        for i, ((places, _), cost) in enumerate(zip(choices, alone, strict=True)):
            others = np.delete(boxes, i, axis=0)
            boxes[i] = places[np.argmin(cost + _overlap(places, others).sum(1))]
        if np.array_equal(boxes, before):
            break
    return boxes


def _choices(
    anchor: NDArray[np.floating], size: NDArray[np.floating], bounds: tuple[float, float, float, float], gap: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, 4) boxes around an anchor, pushed inside the bounds, and (k,) how far each is."""
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    radius = gap * (1 + np.arange(RADII)[:, None] ** 1.5)
    # The anchor is on a rounded rectangle around the label: its middle lies farther out by half the label's size.
    x = anchor[0] + np.cos(angle) * (radius + size[0] / 2)
    y = anchor[1] + np.sin(angle) * (radius + size[1] / 2)
    left = (x - size[0] / 2).clip(bounds[0], max(bounds[0], bounds[2] - size[0])).reshape(-1)
    top = (y - size[1] / 2).clip(bounds[1], max(bounds[1], bounds[3] - size[1])).reshape(-1)
    boxes = np.stack([left, top, left + size[0], top + size[1]], axis=1)
    nearest = np.stack([anchor[0].clip(left, left + size[0]), anchor[1].clip(top, top + size[1])], axis=1)
    return boxes, np.linalg.norm(nearest - anchor, axis=1)


def _overlap(boxes: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.floating]:
    """(k, m) common area of boxes (k, 4) and (m, 4)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (high - low).clip(0).prod(2)
