"""The layout of DAVIS, read by PIL."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.followed import commit_object, square
from vss_ray.clips import Clip
from vss_ray.errors import ConfigError
from vss_ray.export.export import export
from vss_ray.export.walk import Selection
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.media.png import png_ids


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


def test_objects_by_their_ids(made, write):
    dest = write("davis", "of=objects", "pictures=false")
    for number in (0, 9, 12):
        ids = png_ids((dest / f"Annotations/480p/drive_1-0000beef/{number:05d}.png").read_bytes())
        assert (ids == square(number, *ids.shape, track=3)).all()
    assert not (dest / "classes.json").exists()


def test_objects_that_were_found_count_from_one(made, write):
    for row in made.run.manifest_rows()[:1]:
        commit_object(made.run.location, Clip.from_row(row), 12.5, track=1002, folder="things")
    dest = write("davis", "of=things", "pictures=false")
    ids = png_ids((dest / "Annotations/480p/drive_1-0000beef/00000.png").read_bytes())
    assert np.unique(ids).tolist() == [0, 2]


def test_more_objects_than_a_palette_holds_are_refused(made, tmp_path):
    for row in made.run.manifest_rows()[:1]:
        commit_object(made.run.location, Clip.from_row(row), 12.5, track=1300, folder="things")
    with pytest.raises(ConfigError, match="holds 255 objects, and a video has one of id 300; take coco"):
        list(export(made.run, str(tmp_path / "dest"), "davis", Selection(), ["of=things"]))
