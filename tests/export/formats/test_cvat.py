"""The archives of CVAT for images 1.1: what its importer reads is there, and gives back every pixel."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from vss_ray.export.export import export
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy


def pixels(mask: ElementTree.Element) -> tuple[np.ndarray, tuple[slice, slice]]:
    """The decoding that CVAT's documentation describes: runs of 0 and 1 in turn, row by row in the box."""
    left, top, width, height = (int(mask.attrib[name]) for name in ("left", "top", "width", "height"))
    runs = list(map(int, mask.attrib["rle"].split(",")))
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return flat.reshape(height, width).astype(bool), (slice(top, top + height), slice(left, left + width))


def test_masks_come_back(made, write):
    folder = write("cvat")
    assert len(list(folder.glob("*.zip"))) == 2
    seen = 0
    for path in folder.glob("*.zip"):
        archive = zipfile.ZipFile(path)
        root = ElementTree.fromstring(archive.read("annotations.xml"))
        images = root.findall("image")
        assert root.findtext("version") == "1.1"
        assert root.findtext("meta/task/mode") == "annotation"
        assert int(root.findtext("meta/task/size")) == len(images)
        labels = [label.findtext("name") for label in root.findall("meta/task/labels/label")]
        assert tuple(labels) == taxonomy.load("camvid").classes
        assert {f"images/{image.attrib['name']}" for image in images} | {"annotations.xml"} == set(archive.namelist())
        for number, image in enumerate(images):
            assert image.attrib["id"] == str(number)
            video_id, frame = image.attrib["name"].removesuffix(".jpg").rsplit("_", 1)
            expected = made.labels[video_id, int(frame)]
            assert (int(image.attrib["height"]), int(image.attrib["width"])) == expected.shape
            ids = np.full(expected.shape, 255, np.uint8)
            for mask in image.findall("mask"):
                shape, place = pixels(mask)
                assert (ids[place][shape] == 255).all()
                ids[place][shape] = labels.index(mask.attrib["label"])
            np.testing.assert_array_equal(ids, expected)
            assert Image.open(io.BytesIO(archive.read(f"images/{image.attrib['name']}"))).size == expected.shape[::-1]
            seen += 1
    assert seen == len(made.labels)


def test_hostile_class_names_are_text(make, tmp_path):
    names = ('"/><script>alert(1)</script>', "a & b < c", "line\nbreak")
    hostile = Taxonomy.from_dict({"name": "hostile", "classes": [{"name": name} for name in names]})
    made = make(tmp_path, hostile)
    list(export(made.run, str(tmp_path / "dest"), "cvat"))
    archive = zipfile.ZipFile(tmp_path / "dest" / "drive_1-0000beef.zip")
    root = ElementTree.fromstring(archive.read("annotations.xml"))
    assert [each.findtext("name") for each in root.findall("meta/task/labels/label")] == list(names)
    assert {each.attrib["label"] for each in root.iter("mask")} == set(names)
    assert root.find(".//script") is None
