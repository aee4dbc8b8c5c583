"""Cityscapes label ids and train ids, by name and synonym; what has no label is told."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest

from vss_ray.datasets import cityscapes as dataset
from vss_ray.errors import ConfigError
from vss_ray.export.export import export
from vss_ray.export.formats.cityscapes import label_tables
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy

# label id, train id: as the Cityscapes scripts list them
CAMVID = {
    "sky": (23, 10),
    "building": (11, 2),
    "pole": (17, 5),
    "road": (7, 0),
    "pavement": (8, 1),
    "tree": (21, 8),
    "sign": (20, 7),
    "fence": (13, 4),
    "car": (26, 13),
    "pedestrian": (24, 11),
    "bicyclist": (25, 12),
}


def test_pictures_hold_the_labels(made, write):
    folder = write("cityscapes")
    label_ids, train_ids = np.zeros(256, np.uint8), np.full(256, 255, np.uint8)
    for index, name in enumerate(taxonomy.load("camvid").classes):
        label_ids[index], train_ids[index] = CAMVID[name]
    for (video_id, frame), ids in made.labels.items():
        city = video_id.replace("_", "-")
        stem = f"val/{city}/{city}_000000_{frame:06d}"
        for kind, table in (("labelIds", label_ids), ("labelTrainIds", train_ids)):
            read = cv2.imread(str(folder / f"gtFine/{stem}_gtFine_{kind}.png"), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(read, table[ids])
        picture = cv2.imread(str(folder / f"leftImg8bit/{stem}_leftImg8bit.png"))
        assert np.abs(picture.astype(int) - made.images[video_id, frame]).max() <= 6


def test_our_own_reader_agrees(made, write):
    folder = write("cityscapes", "pictures=false")
    assert not (folder / "leftImg8bit").exists()
    path = next((folder / "gtFine").glob("val/drive*/*000003_gtFine_labelIds.png"))
    expected = label_tables(taxonomy.load("camvid"))[1][made.labels["drive_1-0000beef", 3]]
    np.testing.assert_array_equal(dataset.read_labels(path), expected)


def test_what_has_no_label_is_told(make, tmp_path, caplog):
    names = ("road", "Guard_Rail", "spaceship", "unicorn")
    other = Taxonomy.from_dict({"name": "other", "classes": [{"name": name} for name in names]})
    run = make(tmp_path, other).run
    with caplog.at_level(logging.WARNING):
        list(export(run, str(tmp_path / "dest"), "cityscapes"))
    assert "no label for spaceship, unicorn: void there (label id 0, train id 255)" in caplog.text
    label_ids, train_ids, _ = label_tables(other)
    assert label_ids[[0, 1, 2, 3, 255]].tolist() == [7, 14, 0, 0, 0]
    assert train_ids[[0, 1, 2, 3, 255]].tolist() == [0, 255, 255, 255, 255]


def test_nothing_to_map_is_refused():
    other = Taxonomy.from_dict({"name": "other", "classes": [{"name": "spaceship"}]})
    with pytest.raises(ConfigError, match=r"none of the classes of other \(spaceship\) is a label of Cityscapes"):
        label_tables(other)
