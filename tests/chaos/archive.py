"""A few tiny videos, made once: a minute of chaos goes into clips, not into pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets import scenes
from vss_ray.media.write import write_video

VIDEOS = {"a.mp4": (64, 96), "b.mp4": (80, 112), "day/c.mp4": (96, 128), "day/d.mp4": (64, 112)}
"""Height and width by name."""
CLIPS_A_VIDEO, CLIP_FRAMES, FPS = 7, 30, 15
OPTIONS = [
    f"--set=clip_seconds={CLIP_FRAMES / FPS}",
    "--set=keyframes.every=5",
    "--set=segmenter.short_side=64",
]
"""Of ``vss segment``: a clip takes one core a fraction of a second."""


def make(folder: Path) -> None:
    """Write the videos: a window that wanders over one picture of a rendered street."""
    [street] = scenes.render(scenes.Config(height=192, width=384, num_frames=1))
    for number, (name, size) in enumerate(VIDEOS.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, _pan(street.rgb, *size, number), fps=FPS, gop=CLIP_FRAMES)


def _pan(picture: NDArray[np.uint8], height: int, width: int, number: int) -> Iterator[NDArray[np.uint8]]:
    """(height, width, 3) windows of a picture, no two videos alike."""
    room_y, room_x = picture.shape[0] - height, picture.shape[1] - width
    for frame in range(CLIPS_A_VIDEO * CLIP_FRAMES):
        y, x = (frame // 3 + 7 * number) % room_y, (2 * frame + 31 * number) % room_x
        yield picture[y : y + height, x : x + width]
