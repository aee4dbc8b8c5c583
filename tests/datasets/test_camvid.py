from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray.datasets import camvid
from vss_ray.errors import DataError


def add(root: Path, split: str, name: str, labels: np.ndarray | None, suffix: str = ".png", red: int = 200) -> None:
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / f"{split}annot").mkdir(exist_ok=True)
    picture = np.zeros((6, 8, 3), np.uint8)
    picture[..., 2] = red  # OpenCV writes BGR
    cv2.imwrite(str(root / split / f"{name}{suffix}"), picture)
    if labels is not None:
        cv2.imwrite(str(root / f"{split}annot" / f"{name}.png"), labels)


def test_a_still_is_rgb_and_void_is_255(tmp_path: Path):
    labels = np.full((6, 8), 3, np.uint8)
    labels[0] = camvid.FILE_VOID
    add(tmp_path, "train", "a", labels)
    (still,) = camvid.stills(tmp_path, "train")
    assert still.image()[0, 0].tolist() == [200, 0, 0]
    assert set(still.labels()[0].tolist()) == {255}
    assert set(still.labels()[1:].ravel().tolist()) == {3}


def test_the_drive_is_in_order_of_names_whatever_the_format(tmp_path: Path):
    for name, suffix, red in (("c", ".png", 30), ("a", ".webp", 10), ("b", ".PNG", 20)):
        add(tmp_path, "val", name, np.full((6, 8), red // 10, np.uint8), suffix, red)
    frames = list(camvid.drive(tmp_path))
    assert [int(labels[0, 0]) for _, labels in frames] == [1, 2, 3]
    for image, labels in frames:
        assert abs(int(image[0, 0, 0]) - 10 * int(labels[0, 0])) <= 4
        assert image.shape[:2] == labels.shape


def test_other_files_are_no_pictures(tmp_path: Path):
    add(tmp_path, "train", "a", np.zeros((6, 8), np.uint8))
    (tmp_path / "train" / "notes.txt").write_text("not a picture")
    assert [still.image_path.name for still in camvid.stills(tmp_path, "train")] == ["a.png"]


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="SegNet layout") as caught:
        camvid.stills(tmp_path, "val")
    assert str(tmp_path / "val") in str(caught.value)


def test_missing_labels_are_named(tmp_path: Path):
    add(tmp_path, "train", "a", np.zeros((6, 8), np.uint8))
    add(tmp_path, "train", "b", None)
    with pytest.raises(DataError, match=r"b\.png has no labels"):
        camvid.stills(tmp_path, "train")


def test_a_broken_picture_is_named(tmp_path: Path):
    add(tmp_path, "train", "a", np.zeros((6, 8), np.uint8))
    (tmp_path / "train" / "a.png").write_bytes(b"no PNG at all")
    (still,) = camvid.stills(tmp_path, "train")
    with pytest.raises(DataError, match=r"a\.png is not a picture"):
        still.image()


def test_the_real_drive(test_data: Path):
    image, labels = next(camvid.drive(test_data / "camvid"))
    assert image.shape == (360, 480, 3)
    assert labels.shape == (360, 480)
    assert set(np.unique(labels).tolist()) <= {*range(11), 255}
