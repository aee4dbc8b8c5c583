"""Layouts with boxes, LaSOT, GOT-10k and OTB: tiny trees of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray import datasets
from vss_ray.datasets import got10k, lasot, otb
from vss_ray.errors import ConfigError, DataError

BOXES = [(1, 2, 3, 4), (2, 2, 3, 4), (3.5, 2, 3, 4)]


def pictures(folder: Path, names) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        cv2.imwrite(str(folder / f"{name}.jpg"), np.full((4, 6, 3), 40 * i, np.uint8))


def text(boxes, between: str = ",") -> str:
    return "".join(between.join(map(str, row)) + "\n" for row in boxes)


def boxes_of(sequence, each: int = 1) -> list:
    return [truth and truth.boxes[each] for _, truth in sequence.frames()]


def add_lasot(root: Path, name: str, hidden: str = "0,0,0", outside: str = "0,0,0", num_frames: int = 3) -> Path:
    folder = root / name.rpartition("-")[0] / name
    pictures(folder / "img", [f"{i + 1:08d}" for i in range(num_frames)])
    (folder / "groundtruth.txt").write_text(text(BOXES))
    (folder / "full_occlusion.txt").write_text(hidden)
    (folder / "out_of_view.txt").write_text(outside)
    return folder


def add_got10k(root: Path, split: str, name: str, boxes=BOXES) -> Path:
    folder = root / split / name
    pictures(folder, [f"{i + 1:08d}" for i in range(3)])
    (folder / "groundtruth.txt").write_text(text(boxes))
    (root / split / "list.txt").write_text(name + "\n")
    return folder


def test_lasot_knows_when_the_object_is_away(tmp_path):
    add_lasot(tmp_path, "cat-2", hidden="0,1,0")
    add_lasot(tmp_path, "cat-10", outside="0,0,1")
    (tmp_path / "testing_set.txt").write_text("cat-10\ncat-2\n")
    ten, two = lasot.sequences(tmp_path, "test")
    assert (ten.name, ten.rate, ten.num_frames, ten.objects[1].category) == ("cat-10", 30.0, 3, "cat")
    assert boxes_of(ten) == [BOXES[0], BOXES[1], None]
    assert boxes_of(two) == [BOXES[0], None, BOXES[2]]
    with pytest.raises(DataError, match=r"training_set\.txt is missing"):
        lasot.sequences(tmp_path, "train")


def test_lasot_without_lists(tmp_path):
    for name in ("cat-10", "cat-2", "bear-1"):
        add_lasot(tmp_path, name)
    assert [each.name for each in lasot.sequences(tmp_path, "train")] == ["bear-1", "cat-2", "cat-10"]


def test_lasot_pieces_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no boxes in .*; wanted LaSOT"):
        lasot.sequences(tmp_path, "test")
    folder = add_lasot(tmp_path, "cat-1", hidden="0,0")
    with pytest.raises(DataError, match=r"full_occlusion\.txt has 2 entries; wanted 3"):
        lasot.sequences(tmp_path, "test")
    (folder / "full_occlusion.txt").write_text("0,0,no")
    with pytest.raises(DataError, match=r"full_occlusion\.txt has something that is no number"):
        lasot.sequences(tmp_path, "test")
    (folder / "full_occlusion.txt").unlink()
    with pytest.raises(DataError, match=r"full_occlusion\.txt is missing"):
        lasot.sequences(tmp_path, "test")
    (folder / "groundtruth.txt").write_text(text(BOXES[:2]))
    with pytest.raises(DataError, match="has 3 pictures and 2 boxes"):
        lasot.sequences(tmp_path, "test")
    with pytest.raises(ConfigError, match="no split 'val'"):
        lasot.sequences(tmp_path, "val")


def test_got10k_is_absent_where_nothing_is_visible(tmp_path):
    folder = add_got10k(tmp_path, "val", "GOT-10k_Val_000001")
    (folder / "cover.label").write_text("8\n0\n1\n")
    (folder / "meta_info.ini").write_text("[METAINFO]\nurl: https://x/a%20b\nobject_class: brown bear\n")
    (sequence,) = got10k.sequences(tmp_path, "val")
    assert (sequence.name, sequence.rate, sequence.objects[1].category) == ("GOT-10k_Val_000001", 10.0, "brown bear")
    assert boxes_of(sequence) == [BOXES[0], None, BOXES[2]]
    (folder / "meta_info.ini").write_text("object_class\n")
    with pytest.raises(DataError, match=r"meta_info\.ini"):
        got10k.sequences(tmp_path, "val")


def test_got10k_shows_one_box_of_its_test(tmp_path):
    add_got10k(tmp_path, "test", "GOT-10k_Test_000001", BOXES[:1])
    (sequence,) = got10k.sequences(tmp_path, "test")
    assert boxes_of(sequence) == [BOXES[0], None, None]
    assert sequence.objects[1].category is None


def test_got10k_pieces_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(DataError, match=r"val/list\.txt is missing; wanted GOT-10k"):
        got10k.sequences(tmp_path, "val")
    for split, boxes, wanted in (("val", BOXES[:1], "one box a picture"), ("test", BOXES, "one box, of the first")):
        add_got10k(tmp_path, split, "GOT", boxes)
        with pytest.raises(DataError, match=f"has 3 pictures and {len(boxes)} boxes; wanted {wanted}"):
            got10k.sequences(tmp_path, split)
    with pytest.raises(ConfigError, match="no split 'dev'"):
        got10k.sequences(tmp_path, "dev")


@pytest.mark.parametrize("between", [",", "\t", " ", ", "])
def test_otb_separates_numbers_as_it_likes(tmp_path, between):
    pictures(tmp_path / "Car4/img", ["0001", "0002", "0003"])
    (tmp_path / "Car4/groundtruth_rect.txt").write_text(text(BOXES, between))
    (car,) = datasets.load_tracked("otb", tmp_path, "all")
    assert (car.name, car.rate, boxes_of(car)) == ("Car4", 30.0, BOXES)


def test_otb_with_two_objects_one_of_them_late(tmp_path):
    pictures(tmp_path / "Jogging/img", ["0001", "0002", "0003"])
    (tmp_path / "Jogging/groundtruth_rect.1.txt").write_text(text(BOXES))
    (tmp_path / "Jogging/groundtruth_rect.2.txt").write_text(text([["NaN"] * 4, (0, 0, 0, 0), BOXES[0]]))
    (jogging,) = otb.sequences(tmp_path, "all")
    assert {each: known.start for each, known in jogging.objects.items()} == {1: 0, 2: 2}
    assert boxes_of(jogging, 2) == [None, None, BOXES[0]]


def test_otb_boxes_that_begin_or_end_elsewhere(tmp_path):
    pictures(tmp_path / "David/img", ["0001", "0300", "0301", "0302"])
    pictures(tmp_path / "Football1/img", ["0001", "0002", "0003", "0004"])
    for name in ("David", "Football1"):
        (tmp_path / name / "groundtruth_rect.txt").write_text(text(BOXES))
    david, football = otb.sequences(tmp_path, "all")
    assert [path.stem for path in david.images] == ["0300", "0301", "0302"]
    assert [path.stem for path in football.images] == ["0001", "0002", "0003"]


def test_otb_pieces_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no boxes in .*; wanted OTB"):
        otb.sequences(tmp_path, "all")
    pictures(tmp_path / "Car4/img", ["0001", "0002"])
    truth = tmp_path / "Car4/groundtruth_rect.txt"
    for content, message in (
        (text(BOXES), "has 2 pictures and 3 boxes"),
        ("", "has 2 pictures and 0 boxes"),
        ("1,2,3\n", r"groundtruth_rect\.txt, line 1: 3 numbers; wanted four"),
        ("1,2,3,four\n", r"groundtruth_rect\.txt has something that is no number"),
    ):
        truth.write_text(content)
        with pytest.raises(DataError, match=message):
            otb.sequences(tmp_path, "all")
    with pytest.raises(ConfigError, match="no split 'test'; there is all"):
        otb.sequences(tmp_path, "test")


def test_other_datasets_are_refused(tmp_path):
    with pytest.raises(
        ConfigError, match="no dataset 'camvid' of objects to follow; there is davis, youtube_vos, lasot"
    ):
        datasets.load_tracked("camvid", tmp_path, "val")
    (tmp_path / "val").mkdir()
    (tmp_path / "val/list.txt").write_text("\n")
    with pytest.raises(DataError, match="lists no sequence of got10k, split val"):
        datasets.load_tracked("got10k", tmp_path, "val")
