"""Sequences from footage that nobody labelled: the labels are a teacher's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.shots import ShotDetector
from vss_ray.plan import plan_clips
from vss_ray.training.rendered import RATE, stretch

Label = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Labels (N, H, W) uint8 of pictures (N, H, W, 3) uint8; 255 where it is not sure."""


class Videos:
    """Shots of videos, reduced and labelled once and kept in memory."""

    def __init__(self, paths: Sequence[Path], label: Label, *, short_side: int = 360) -> None:
        """Decode and label.

        Args:
            paths: Videos, or folders of them.
            label: The teacher.
            short_side: Of the pictures kept, pixels; smaller videos stay as they are.

        Raises:
            VideoError: A file is no video, or there is none.
            StorageError: A path leads nowhere.
        """
        self._shots = [(images, label(images), rate) for path in paths for images, rate in _shots(path, short_side)]
        if not self._shots:
            raise VideoError("no footage to learn from; give at least one video")
        self._share = np.array([len(images) for images, _, _ in self._shots], float)
        self._share /= self._share.sum()

    def sample(self, length: int, step: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """See ``sequences.Source``; a rate that is no multiple of 15 Hz is rounded up or down at random."""
        images, labels, rate = self._shots[rng.choice(len(self._shots), p=self._share)]
        apart = max(int(step * rate / RATE + rng.random()), 1)
        taken = stretch(len(images), length, apart, rng)
        return images[taken], labels[taken]


def _shots(path: Path, short_side: int) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Pictures (N, H, W, 3) of every shot, and how many there are a second."""
    for entry in list_videos(str(path)):
        video = probe(entry)
        scale = min(1.0, short_side / min(video.height, video.width))
        height, width = (max(2, round(side * scale / 2) * 2) for side in (video.height, video.width))
        rate = video.num_frames / video.duration_seconds if video.duration_seconds > 0 else RATE
        detector, shot = ShotDetector(), []
        for clip in plan_clips(video):
            for frame in decode(clip, any_size=True):
                image = frame.rgb(height, width)
                small = cv2.resize(image, (160, 90), interpolation=cv2.INTER_AREA)[..., ::-1]
                if detector.is_cut(np.ascontiguousarray(small)) and shot:  # type: ignore[arg-type]
                    yield np.stack(shot), rate
                    shot = []
                shot.append(image)
        yield np.stack(shot), rate
