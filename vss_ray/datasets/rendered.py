"""Rendered streets as a dataset: exact labels on every frame, as many videos as wanted, no files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets import scenes
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame

FIRST_SEED = 1_000_000
"""Far from the seeds that anybody trains on."""


@dataclass(frozen=True)
class RenderedSequence:
    """One video; see ``LabeledSequence``."""

    config: scenes.Config

    @property
    def name(self) -> str:
        """Its seed."""
        return f"scene-{self.config.seed}"

    @property
    def taxonomy(self) -> str:
        """CamVid's."""
        return scenes.TAXONOMY

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.config.fps

    @property
    def num_frames(self) -> int:
        """How many there are."""
        return self.config.num_frames

    def frames(self) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
        """Frames with their labels, rendered as they are asked for."""
        for frame in scenes.render(self.config):
            yield Frame.from_rgb(frame.rgb, frame.pts_seconds), frame.labels


def sequences(count: Path, split: str) -> list[RenderedSequence]:
    """``count`` videos, a number in the place of a folder; ``split`` means nothing.

    Raises:
        ConfigError: It is no number.
    """
    if not str(count).isdecimal() or int(str(count)) < 1:
        raise ConfigError(f"scenes are rendered, not read: got {count}; give how many, such as 3")
    return [RenderedSequence(scenes.Config(seed=FIRST_SEED + i)) for i in range(int(str(count)))]
