"""Cityscapes snippets, a tiny tree of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray.datasets import cityscapes
from vss_ray.errors import DataError
from vss_ray.labels import taxonomy

# From the dataset's own table of labels: name, id, train id.
SOME = [("unlabeled", 0, 255), ("road", 7, 0), ("parking", 9, 255), ("wall", 12, 3), ("guard rail", 14, 255)]
SOME += [("polegroup", 18, 255), ("traffic light", 19, 6), ("rider", 25, 12), ("bus", 28, 15), ("caravan", 29, 255)]
SOME += [("train", 31, 16), ("bicycle", 33, 18), ("license plate", 255, 255)]


def add(root: Path, city: str, sequence: int, frames: range, labeled: int) -> None:
    images = root / "leftImg8bit_sequence" / "val" / city
    labels = root / "gtFine" / "val" / city
    for folder in (images, labels):
        folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        image = np.full((4, len(SOME), 3), frame % 250, np.uint8)
        cv2.imwrite(str(images / f"{city}_{sequence:06d}_{frame:06d}_leftImg8bit.png"), image)
    ids = np.array([[number for _, number, _ in SOME]] * 4, np.uint8)
    cv2.imwrite(str(labels / f"{city}_{sequence:06d}_{labeled:06d}_gtFine_labelIds.png"), ids)


def test_a_snippet_of_thirty_has_labels_on_the_twentieth(tmp_path):
    add(tmp_path, "aachen", 3, range(30), 19)
    (snippet,) = cityscapes.sequences(tmp_path, "val")
    frames = list(snippet.frames())
    assert (snippet.name, snippet.taxonomy, len(frames)) == ("aachen_000003_000019", "cityscapes", 30)
    assert [i for i, (_, labels) in enumerate(frames) if labels is not None] == [cityscapes.LABELED]
    assert [int(frame.rgb(4, len(SOME))[0, 0, 0]) for frame, _ in frames] == [*range(30)]


def test_ids_become_train_ids(tmp_path):
    add(tmp_path, "aachen", 3, range(19, 20), 19)
    (snippet,) = cityscapes.sequences(tmp_path, "val")
    ((_, labels),) = snippet.frames()
    np.testing.assert_array_equal(labels, [[wanted for _, _, wanted in SOME]] * 4)
    classes = taxonomy.load("cityscapes").classes
    assert len(classes) == len(cityscapes.SCORED) == 19
    assert all(classes[wanted] == name for name, _, wanted in SOME if wanted < 255)


def test_long_recordings_are_cut_around_each_labeled_frame(tmp_path):
    add(tmp_path, "frankfurt", 0, range(275, 305), 294)
    add(tmp_path, "frankfurt", 0, range(557, 587), 576)
    first, second = cityscapes.sequences(tmp_path, "val")
    assert (first.num_frames, second.num_frames) == (30, 30)
    assert first.images[0].name == "frankfurt_000000_000275_leftImg8bit.png"
    assert second.images[-1].name == "frankfurt_000000_000586_leftImg8bit.png"


def test_what_follows_a_hole_belongs_to_nothing(tmp_path):
    add(tmp_path, "aachen", 0, range(12, 25), 19)
    (tmp_path / "leftImg8bit_sequence/val/aachen/aachen_000000_000015_leftImg8bit.png").unlink()
    (snippet,) = cityscapes.sequences(tmp_path, "val")
    assert [path.name[14:20] for path in snippet.images] == [f"{i:06d}" for i in range(16, 25)]
    assert [label is not None for label in snippet.labels] == [i == 19 for i in range(16, 25)]


def test_a_labeled_frame_without_its_picture_is_named(tmp_path):
    add(tmp_path, "aachen", 0, range(10), 19)
    with pytest.raises(DataError, match=r"has no picture in .*wanted frame 000019"):
        cityscapes.sequences(tmp_path, "val")
