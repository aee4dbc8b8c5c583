"""Rendered streets and whole archives as datasets."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from vss_ray.datasets import rendered, scenes, videos
from vss_ray.errors import ConfigError, VideoError


def test_as_many_streets_as_wanted():
    first, second = rendered.sequences(Path("2"), "val")
    assert first.name != second.name
    assert (first.taxonomy, first.num_frames, first.rate) == ("camvid", 100, 25.0)
    for frame, labels in itertools.islice(first.frames(), 2):
        assert frame.size == labels.shape
        assert set(np.unique(labels).tolist()) <= {*range(11)}


@pytest.mark.parametrize("count", ["0", "-1", "some/folder"])
def test_a_folder_is_no_number(count):
    with pytest.raises(ConfigError, match="give how many"):
        rendered.sequences(Path(count), "val")


def test_an_archive_without_labels(tmp_path):
    scenes.write_scene(tmp_path / "a.mp4", scenes.Config(height=64, width=96, num_frames=12, fps=10.0))
    (clip,) = videos.sequences(tmp_path, "val")
    frames = list(clip.frames())
    assert clip.num_frames == len(frames) == 12
    assert clip.rate == pytest.approx(10.0)
    assert clip.taxonomy is None
    assert {labels for _, labels in frames} == {None}
    assert clip.name.startswith("a-")


def test_an_empty_archive_is_refused(tmp_path):
    with pytest.raises(VideoError):
        videos.sequences(tmp_path, "val")
