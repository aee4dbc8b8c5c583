"""An archive of very many very short videos: a few are rendered, the others are hard links to them."""

from __future__ import annotations

import os
from pathlib import Path

from vss_ray.datasets import scenes
from vss_ray.media.write import write_video

HEIGHT, WIDTH, FPS = 48, 64, 10
CLIPS, FRAMES = 10, 4
"""Clips of a video, and frames of a clip; each clip begins at a codec keyframe."""
CLIP_SECONDS = FRAMES / FPS
RENDERED = 4
FOLDER = 100
"""Videos in one folder."""


def many_videos(folder: Path, count: int) -> Path:
    """SOURCE with ``count`` videos of ten clips each."""
    rendered = [folder / "rendered" / f"{seed}.mp4" for seed in range(RENDERED)]
    rendered[0].parent.mkdir(parents=True)
    for seed, path in enumerate(rendered):
        street = scenes.Config(height=HEIGHT, width=WIDTH, num_frames=CLIPS * FRAMES, fps=float(FPS), seed=seed)
        write_video(path, (frame.rgb for frame in scenes.render(street)), fps=FPS, gop=FRAMES)
    source = folder / "archive"
    for number in range(count):
        video = source / f"{number // FOLDER:03d}" / f"{number:05d}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        os.link(rendered[number % RENDERED], video)
    return source
