"""VSPW, a tiny tree of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray import datasets
from vss_ray.datasets import vspw
from vss_ray.errors import ConfigError, DataError
from vss_ray.labels import taxonomy

IDS = [0, 1, 2, 61, 124, 255]
WANTED = [255, 0, 1, 60, 123, 255]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for video in ("10_a", "9_b", "test_c"):
        for folder in ("origin", "mask"):
            (tmp_path / "data" / video / folder).mkdir(parents=True)
        for i in range(3):
            cv2.imwrite(str(tmp_path / f"data/{video}/origin/{i:08d}.jpg"), np.zeros((4, len(IDS), 3), np.uint8))
            if video != "test_c":
                cv2.imwrite(str(tmp_path / f"data/{video}/mask/{i:08d}.png"), np.array([IDS] * 4, np.uint8))
    (tmp_path / "train.txt").write_text("9_b\n")
    (tmp_path / "val.txt").write_text("9_b\n10_a\n")
    (tmp_path / "test.txt").write_text("test_c\n")
    return tmp_path


def test_videos_in_the_order_of_the_list(root):
    videos = vspw.sequences(root, "val")
    assert [video.name for video in videos] == ["9_b", "10_a"]
    assert {(video.taxonomy, video.rate, video.num_frames) for video in videos} == {("vspw", 15.0, 3)}


def test_others_and_void_are_not_scored_and_the_rest_begins_at_zero(root):
    _, labels = next(vspw.sequences(root, "val")[0].frames())
    np.testing.assert_array_equal(labels, [WANTED] * 4)
    classes = taxonomy.load("vspw").classes
    assert len(classes) == vspw.NUM_CLASSES
    assert (classes[0], classes[60], classes[123]) == ("wall", "person", "train")


def test_the_test_split_has_no_labels(root):
    (video,) = vspw.sequences(root, "test")
    assert video.taxonomy is None
    assert [labels for _, labels in video.frames()] == [None] * 3


def test_missing_pieces_are_named(root):
    (root / "data/10_a/mask/00000001.png").unlink()
    with pytest.raises(DataError, match=r"00000001\.jpg has no labels"):
        vspw.sequences(root, "val")
    (root / "val.txt").write_text("gone\n")
    with pytest.raises(DataError, match=r"gone/origin, which val\.txt lists"):
        vspw.sequences(root, "val")
    (root / "val.txt").write_text("\n")
    with pytest.raises(DataError, match="lists no sequence of vspw, split val"):
        datasets.load("vspw", root)
    (root / "val.txt").unlink()
    with pytest.raises(DataError, match=r"val\.txt is missing"):
        vspw.sequences(root, "val")
    with pytest.raises(ConfigError, match="no split 'dev'"):
        vspw.sequences(root, "dev")
