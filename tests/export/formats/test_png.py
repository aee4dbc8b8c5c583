"""Palette PNGs hold the ids bit by bit, and show the colors."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from vss_ray.export.export import export
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy


def test_ids_and_colors_come_back(made, write):
    folder = write("png")
    assert len(list(folder.glob("*/*.png"))) == len(made.labels) == 23
    palette = taxonomy.load("camvid").palette()
    for (video_id, frame), ids in made.labels.items():
        picture = Image.open(folder / video_id / f"{video_id}_{frame:09d}.png")
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), ids)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette[ids])


def test_names_are_beside_them(made, write):
    content = json.loads((write("png") / "classes.json").read_text())
    assert content["void"] == 255
    assert content["classes"][3] == {"value": 3, "name": "road", "color": [128, 64, 128]}


def test_more_classes_than_a_palette_holds(make, tmp_path):
    rows = [{"name": f"class {n}"} for n in range(300)]
    many = make(tmp_path, Taxonomy.from_dict({"name": "many", "classes": rows}))
    list(export(many.run, str(tmp_path / "dest"), "png"))
    for (video_id, frame), ids in many.labels.items():
        picture = Image.open(tmp_path / "dest" / video_id / f"{video_id}_{frame:09d}.png")
        assert picture.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(picture), ids)
