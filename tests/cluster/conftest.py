"""One Ray for all cluster tests, and a small archive of rendered street scenes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import ray

from vss_ray.datasets import scenes
from vss_ray.media.write import write_video


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A Ray of two cores on this machine, whose workers find the plug-ins of tests by dotted path, as tests do."""
    tests = str(Path(__file__).parents[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.syspath_prepend(tests)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="WARNING")
        yield
        ray.shutdown()


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of 160 kB; room for some clips."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "vss", folder]).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def tiny_drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labeled drive of 9 rendered frames in CamVid's layout."""
    folder = tmp_path_factory.mktemp("camvid")
    for name in ("val", "valannot"):
        (folder / name).mkdir()
    street = scenes.render(scenes.Config(height=64, width=96, num_frames=9, fps=15.0, seed=3))
    for i, frame in enumerate(street):
        cv2.imwrite(str(folder / "val" / f"{i:03d}.png"), cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / "valannot" / f"{i:03d}.png"), frame.labels)
    return folder


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos of different size, rate and codec, in two folders: 60 + 30 + 45 frames."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "day").mkdir()
    scenes.write_scene(folder / "a.mp4", scenes.Config(height=96, width=128, num_frames=60, fps=10.0))
    scenes.write_scene(folder / "day" / "b.mp4", scenes.Config(height=64, width=96, num_frames=30, fps=15.0, seed=1))
    street = scenes.render(scenes.Config(height=80, width=112, num_frames=45, fps=30.0, seed=2))
    write_video(str(folder / "c.avi"), (frame.rgb for frame in street), fps=30, codec="mpeg4", gop=15)
    return folder
