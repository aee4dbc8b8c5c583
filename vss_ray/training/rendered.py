"""Sequences from rendered streets: exact labels, true parallax."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets import scenes

RATE = 15.0


class Scenes:
    """Videos of different streets, rendered once and kept in memory."""

    def __init__(
        self,
        count: int = 8,
        num_frames: int = 40,
        *,
        height: int = 360,
        width: int = 480,
        seed: int = 0,
        instances: bool = False,
    ):
        """Render.

        Args:
            count: Videos.
            num_frames: Frames of each, at 15 Hz.
            height: Of the pictures, pixels.
            width: Of the pictures, pixels.
            seed: Of the first video; the others have the next ones.
            instances: Ids of things in the place of labels.

        Raises:
            ConfigError: Sizes or counts that make no scene.
        """
        self._videos = []
        for i in range(count):
            config = scenes.Config(height=height, width=width, num_frames=num_frames, fps=RATE, seed=seed + i)
            frames = list(scenes.render(config))
            ids = np.stack([f.instances if instances else f.labels for f in frames])
            self._videos.append((np.stack([f.rgb for f in frames]), ids))

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray]:
        """See ``sequences.Source``; where a video is too short for the step, a smaller one is taken."""
        images, labels = self._videos[rng.integers(len(self._videos))]
        taken = stretch(len(images), length, step, rng)
        return images[taken], labels[taken]


def stretch(count: int, length: int, step: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(length,) frames of ``count``, ``step`` apart; a smaller step, at last 0, where there are not as many."""
    step = min(step, (count - 1) // max(length - 1, 1))
    first = rng.integers(count - step * (length - 1))
    return first + step * np.arange(length)
