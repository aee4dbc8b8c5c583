"""What every dataset comes down to, and how they are found."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray import datasets
from vss_ray.datasets import camvid
from vss_ray.datasets.sequences import PictureFiles
from vss_ray.errors import ConfigError, DataError


@pytest.fixture
def files(tmp_path: Path) -> PictureFiles:
    """Three pictures of a growing red, the second one labeled."""
    images = tuple(tmp_path / f"{i}.png" for i in range(3))
    for i, path in enumerate(images):
        cv2.imwrite(str(path), np.full((6, 8, 3), (0, 0, 50 * i), np.uint8))
    labels = tmp_path / "labels.png"
    cv2.imwrite(str(labels), np.full((6, 8), 4, np.uint8))
    return PictureFiles("three", "camvid", 10.0, images, (None, labels, None), camvid.read_labels)


def test_frames_come_with_their_time_and_labels(files):
    frames = list(files.frames())
    assert files.num_frames == len(frames) == 3
    assert [frame.pts_seconds for frame, _ in frames] == pytest.approx([0, 0.1, 0.2])
    assert [int(frame.rgb(6, 8)[0, 0, 0]) for frame, _ in frames] == [0, 50, 100]
    assert [labels is None for _, labels in frames] == [True, False, True]
    np.testing.assert_array_equal(frames[1][1], np.full((6, 8), 4))


def test_they_start_again_and_travel(files):
    again = pickle.loads(pickle.dumps(files))
    assert again == files
    assert len(list(again.frames())) == len(list(again.frames())) == 3


def test_labels_of_another_size_are_refused(files, tmp_path):
    cv2.imwrite(str(tmp_path / "labels.png"), np.zeros((5, 8), np.uint8))
    with pytest.raises(DataError, match=r"labels\.png is 8x5 pixels, its picture .*1\.png 8x6"):
        list(files.frames())


def test_as_many_labels_as_pictures(files):
    with pytest.raises(ValueError, match="differ"):
        PictureFiles("three", "camvid", 10.0, files.images, (), camvid.read_labels)


def test_an_unknown_dataset_is_answered_with_the_known(tmp_path):
    with pytest.raises(ConfigError, match="no dataset 'kitti'; there is camvid, camvid32, cityscapes, vspw"):
        datasets.load("kitti", tmp_path)


@pytest.mark.parametrize("name", ["camvid", "camvid32", "cityscapes", "vspw"])
def test_a_folder_that_does_not_hold_it_is_named(name, tmp_path):
    with pytest.raises(DataError) as caught:
        datasets.load(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "wanted" in str(caught.value)
