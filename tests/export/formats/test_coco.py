"""COCO files, read by pycocotools and by hand, give back every pixel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as oracle
from pycocotools.coco import COCO

from tests.followed import AWAY, SIDE, TOP, square
from vss_ray.errors import ConfigError
from vss_ray.labels import taxonomy

THINGS = ("car", "pedestrian", "bicyclist")


@pytest.fixture
def folder(write):
    return write("coco")


def frames(content: dict, made) -> dict[int, np.ndarray]:
    return {row["id"]: made.labels[row["video_id"], row["frame"]] for row in content["images"]}


def test_panoptic_pictures_and_json_give_the_labels(made, folder):
    content = json.loads((folder / "annotations/panoptic.json").read_text())
    expected = frames(content, made)
    names = {row["id"]: row["name"] for row in content["categories"]}
    assert tuple(names.values()) == taxonomy.load("camvid").classes
    assert [row["name"] for row in content["categories"] if row["isthing"]] == list(THINGS)
    assert len(content["annotations"]) == len(made.labels)
    for annotation in content["annotations"]:
        picture = np.asarray(Image.open(folder / "panoptic" / annotation["file_name"])).astype(int)
        numbers = picture @ (1, 256, 65536)
        ids = np.full(numbers.shape, 255, np.uint8)
        for segment in annotation["segments_info"]:
            mask = numbers == segment["id"]
            rows, columns = np.nonzero(mask)
            left, top = columns.min(), rows.min()
            assert segment["bbox"] == [left, top, columns.max() - left + 1, rows.max() - top + 1]
            assert segment["area"] == mask.sum()
            ids[mask] = segment["category_id"] - 1
        np.testing.assert_array_equal(ids, expected[annotation["image_id"]])


def test_pycocotools_reads_the_instances(made, folder, capsys):
    coco = COCO(str(folder / "annotations/instances.json"))
    expected = frames(coco.dataset, made)
    assert sorted(cat["name"] for cat in coco.loadCats(coco.getCatIds())) == sorted(THINGS)
    for image_id, ids in expected.items():
        for category in coco.getCatIds():
            annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image_id], catIds=[category]))
            masks = [coco.annToMask(each) for each in annotations]
            union = np.sum(masks, axis=0) if masks else np.zeros(ids.shape)
            np.testing.assert_array_equal(union, ids == category - 1)
            for each, mask in zip(annotations, masks, strict=True):
                encoded = oracle.encode(np.asfortranarray(mask))
                assert each["segmentation"]["counts"] == encoded["counts"].decode()
                assert each["area"] == oracle.area(encoded)
                assert each["bbox"] == oracle.toBbox(encoded).tolist()


def test_every_image_is_there(made, folder):
    content = json.loads((folder / "annotations/instances.json").read_text())
    assert len(content["images"]) == len(made.labels)
    for row in content["images"]:
        picture = np.asarray(Image.open(folder / "images" / row["file_name"])).astype(int)
        assert np.abs(picture - made.images[row["video_id"], row["frame"]]).max() <= 6


def test_things_can_be_named(write):
    folder = write("coco", "things=[sign, bike]", "pictures=false")
    content = json.loads((folder / "annotations/instances.json").read_text())
    assert [row["name"] for row in content["categories"]] == ["sign", "bicyclist"]
    assert not (folder / "images").exists()


def test_unknown_thing_is_told(write):
    with pytest.raises(ConfigError, match=r"things: no class 'carr' in camvid; did you mean car"):
        write("coco", "things=[carr]")


def test_objects_are_instances_with_a_track(made, write):
    path = write("coco", "of=objects", "pictures=false") / "annotations/instances.json"
    coco = COCO(str(path))
    categories = {each["name"]: each["id"] for each in coco.loadCats(coco.getCatIds())}
    seen = {}
    for annotation in coco.loadAnns(coco.getAnnIds()):
        (image,) = coco.loadImgs(annotation["image_id"])
        if image["video_id"] != "drive_1-0000beef":
            continue
        truth = square(image["frame"], image["height"], image["width"], track=3) == 3
        assert (coco.annToMask(annotation) == truth).all()
        assert annotation["bbox"] == [image["frame"], TOP, SIDE, SIDE]
        assert annotation["area"] == truth.sum()
        assert (annotation["track_id"], annotation["category_id"]) == (3, categories["car"])
        seen[image["frame"]] = annotation["state"]
    assert sorted(seen) == [n for n in range(20) if n not in AWAY]
    assert seen[AWAY.stop] == "found"
