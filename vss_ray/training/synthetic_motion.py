"""How a camera that drives sees a picture move: a smooth path of homographies.

From one frame to the next the camera turns by R and moves by t, seen against one plane n of the scene:
``K R (I - t n') K^-1`` (Hartley and Zisserman, Multiple View Geometry, 13.1). Forward motion so becomes an expansion
from a vanishing point, faster on the side where the plane is near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.metrics.confusion import VOID


@dataclass(frozen=True, kw_only=True)
class Config:
    """How fast, from one frame of 15 Hz to the next. The focal length is the width of the picture."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    forward: float = 0.02
    """Median rate of the expansion."""
    fastest: float = 0.05
    """Largest rate of the expansion."""
    standing: float = 0.1
    """Share of sequences whose camera does not drive."""
    yaw: float = 0.003
    """Standard deviation of turns to the side, radians; nodding is a quarter, rolling half of it."""
    most_expansion: float = 0.5
    most_yaw: float = 0.2
    """Limits over a whole sequence, so that a long one does not leave the picture."""


def camera_path(count: int, height: int, width: int, config: Config, rng: np.random.Generator) -> NDArray[np.float64]:
    """(count, 3, 3) from pixels of a still to pixels of frame 0, 1, ...

    The still is near one frame of the first half: those after it are enlarged and so need little from outside of it.
    """
    steps = max(count - 1, 1)
    forward = min(config.forward * np.exp(rng.normal(0, 0.7)), config.fastest, config.most_expansion / steps)
    if rng.random() < config.standing:
        forward = 0.0
    turns = rng.normal(0, config.yaw, 3) * (0.25, 1, 0.5)
    turns = np.clip(turns, -config.most_yaw / steps, config.most_yaw / steps)
    rates = forward * (1 + 0.2 * smooth_noise(steps, rng))
    sway = 0.2 * config.yaw * np.stack([smooth_noise(steps, rng) for _ in range(3)], 1)
    toward = np.array([*rng.normal(0, 0.08, 2), 1.0])
    plane = np.array([rng.uniform(-1.2, 1.2), rng.uniform(0, 2), 1.0])
    lens = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]])
    inverse = np.linalg.inv(lens)
    path = [np.eye(3)]
    for rate, turn in zip(rates, turns + sway, strict=True):
        rotation = cv2.Rodrigues(turn)[0]
        path.append(lens @ rotation @ (np.eye(3) - rate * np.outer(toward, plane)) @ inverse @ path[-1])
    # No frame is the still itself: all are interpolated, or a network could tell which one is not.
    shift = np.eye(3)
    shift[:2, 2] = rng.uniform(0, 1, 2)
    return np.array(path[:count]) @ np.linalg.inv(path[rng.integers((count + 1) // 2)]) @ shift


def smooth_noise(count: int, rng: np.random.Generator, memory: float = 0.8) -> NDArray[np.float64]:
    """(count,) numbers of mean 0 and variance 1, each like the one before."""
    values = rng.normal(0, 1, count)
    for i in range(1, count):
        values[i] = memory * values[i - 1] + (1 - memory**2) ** 0.5 * values[i]
    return values


def warp(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``image`` (H, W, 3) and ``labels`` (H, W) moved by a homography; outside is mirrored, and void."""
    size = (labels.shape[1], labels.shape[0])
    moved: Any = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    ids: Any = cv2.warpPerspective(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=VOID)
    return moved, ids
