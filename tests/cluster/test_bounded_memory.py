"""What a worker takes of memory follows the frames of a clip, never its pixels, however large the pictures are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from vss_ray.datasets import scenes
from vss_ray.media.write import write_video

HEIGHT, WIDTH, FPS, FRAMES = 2304, 4096, 30, 8
PER_FRAME = 1.5e6
"""Bytes; see ``vss_ray.scan``. A decoded picture of this size has 14e6."""
NOISE = 24e6
"""By so many bytes the peak of two equal runs differs; the pixels of the further frames alone would be 113e6."""
LIMIT = int(2.5e9)
"""Bytes of the process's own memory."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 pictures of 4096x2304, two groups of eight."""
    path = tmp_path_factory.mktemp("large") / "large.mp4"
    street = scenes.render(scenes.Config(height=HEIGHT // 8, width=WIDTH // 8, num_frames=FRAMES, fps=FPS))
    small = [frame.rgb for frame in street]
    pictures = (cv2.resize(each, (WIDTH, HEIGHT)) for each in [*small, *reversed(small)])
    write_video(path, pictures, fps=FPS, gop=FRAMES, options={"preset": "ultrafast"})  # type: ignore[arg-type]
    return path


def test_three_stages_over_large_pictures_stay_under_a_limit(large: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("one_worker.py")), "evs", str(large), str(tmp_path / "out")]
    command += [
        str(LIMIT),
        *(str(frames / FPS) for frames in (FRAMES, FRAMES, FRAMES, 2 * FRAMES)),
    ]  # the first one loads
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    looks = json.loads(done.stdout)
    assert [each["failure"] for each in looks] == [None] * 4
    assert [each["frames"] for each in looks] == [FRAMES, FRAMES, FRAMES, 2 * FRAMES]
    _, once, again, twice = looks
    assert again["peak_bytes"] - once["peak_bytes"] < NOISE
    assert twice["peak_bytes"] - again["peak_bytes"] < FRAMES * PER_FRAME + NOISE
    assert [each.name for each in scratch.iterdir() if not each.name.startswith("torchinductor_")] == []  # torch's own
