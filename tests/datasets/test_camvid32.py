"""CamVid with its 32 classes in color, a tiny tree of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray.datasets import camvid32
from vss_ray.errors import ConfigError, DataError
from vss_ray.labels import taxonomy

NAMES = [member for members in camvid32.MEMBERS.values() for member in members]
COLORS = {name: (i + 1, 255 - i, 64) for i, name in enumerate(NAMES)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two stills, a drive of four, and a picture of every class in a column of its own, void last."""
    (tmp_path / camvid32.COLORS).write_text(
        "".join(f"{r} {g} {b}\t\t{name}\r\n" for name, (r, g, b) in COLORS.items()) + "0 0 0\t\tVoid\n"
    )
    columns = np.array([[*COLORS.values(), (0, 0, 0), (9, 9, 9)]], np.uint8)
    labels = cv2.cvtColor(np.repeat(columns, 4, axis=0), cv2.COLOR_RGB2BGR)
    for folder in (camvid32.IMAGES, camvid32.LABELS):
        (tmp_path / folder).mkdir()
    names = ("0001TP_006690", "0006R0_f00930", "0016E5_07959", "0016E5_07961", "0016E5_07963", "0016E5_07965")
    for name in names:
        cv2.imwrite(str(tmp_path / camvid32.IMAGES / f"{name}.png"), np.zeros_like(labels))
        cv2.imwrite(str(tmp_path / camvid32.LABELS / f"{name}_L.png"), labels)
    return tmp_path


def test_the_drive_is_what_lies_two_frames_apart(root):
    (drive,) = camvid32.sequences(root, "val")
    assert (drive.name, drive.taxonomy, drive.rate) == ("0016E5_07959", "camvid", 15.0)
    assert [path.stem[-5:] for path in drive.images] == ["07959", "07961", "07963", "07965"]


def test_thirty_one_classes_become_eleven_and_all_else_void(root):
    (drive,) = camvid32.sequences(root, "val")
    _, labels = next(drive.frames())
    assert labels is not None
    camvid = taxonomy.load("camvid")
    wanted = [camvid.index(cls) for cls, members in camvid32.MEMBERS.items() for _ in members]
    assert len(NAMES) == len(set(NAMES)) == 31
    assert [*camvid32.MEMBERS] == [*camvid.classes]
    np.testing.assert_array_equal(labels, [[*wanted, 255, 255]] * 4)


def test_missing_pieces_are_named(root):
    (root / camvid32.LABELS / "0016E5_07963_L.png").unlink()
    with pytest.raises(DataError, match=r"0016E5_07963\.png has no labels"):
        camvid32.sequences(root, "val")
    colors = root / camvid32.COLORS
    colors.write_text(colors.read_text().replace("\t\tTree", "\t\tShrub"))
    with pytest.raises(DataError, match="has no color for Tree"):
        camvid32.sequences(root, "val")
    colors.unlink()
    with pytest.raises(DataError, match=r"label_colors\.txt is missing"):
        camvid32.sequences(root, "val")


def test_without_a_drive_there_is_nothing_to_measure(root):
    for path in (root / camvid32.IMAGES).glob("0016E5*"):
        path.unlink()
    with pytest.raises(DataError, match="no two pictures"):
        camvid32.sequences(root, "val")


def test_other_splits_hold_stills(root):
    with pytest.raises(ConfigError, match="no split 'train'; there is val"):
        camvid32.sequences(root, "train")
