"""The layout of DAVIS, read by PIL."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vss_ray.errors import ConfigError
from vss_ray.export.export import export
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy


def test_masks_are_one_more_than_the_ids(made, write):
    folder = write("davis")
    colors = taxonomy.load("camvid").palette()
    for (video_id, frame), ids in made.labels.items():
        picture = Image.open(folder / f"Annotations/480p/{video_id}/{frame:05d}.png")
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture) - np.uint8(1), ids)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), colors[ids])
        assert (folder / f"JPEGImages/480p/{video_id}/{frame:05d}.jpg").is_file()
    assert (folder / "ImageSets/2017/val.txt").read_text() == "drive_1-0000beef\nwalk-0000beef\n"


def test_list_grows_with_the_folder(write):
    write("davis", video_id="walk-0000beef")
    folder = write("davis", video_id="drive_1-0000beef")
    assert (folder / "ImageSets/2017/val.txt").read_text() == "drive_1-0000beef\nwalk-0000beef\n"


def test_too_many_classes_are_refused(make, tmp_path):
    rows = [{"name": f"class {n}"} for n in range(256)]
    many = make(tmp_path, Taxonomy.from_dict({"name": "many", "classes": rows}))
    with pytest.raises(ConfigError, match=r"a palette holds 255 classes and many has 256; take png"):
        list(export(many.run, str(tmp_path / "dest"), "davis"))
