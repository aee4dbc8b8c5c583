"""DAVIS: tiny trees of both years, and real sequences of 2016."""

from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray import datasets
from vss_ray.datasets import davis
from vss_ray.errors import ConfigError, DataError
from vss_ray.export.pictures import gray_png, palette_png
from vss_ray.metrics.objects import score_masks, scored_frames

PALETTE = np.random.default_rng(1).integers(1, 256, (256, 3)).astype(np.uint8)
IDS = np.array([[0, 0, 2, 2, 0, 0], [0, 0, 2, 2, 7, 0], [0, 255, 0, 0, 0, 0]], np.uint8)


def add(root: Path, name: str, masks: list[np.ndarray], num_frames: int | None = None) -> None:
    pictures, annotations = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
    for folder in (pictures, annotations):
        folder.mkdir(parents=True)
    for i in range(num_frames or len(masks)):
        cv2.imwrite(str(pictures / f"{i:05d}.jpg"), np.zeros((*IDS.shape, 3), np.uint8))
    for i, ids in enumerate(masks):
        (annotations / f"{i:05d}.png").write_bytes(
            palette_png(ids, np.concatenate([np.zeros((1, 3), np.uint8), PALETTE[1:]]))
        )


def listed(root: Path, split: str, names: str) -> None:
    path = root / "ImageSets" / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(names)


def test_objects_of_2017_are_the_indices_of_the_files(tmp_path):
    add(tmp_path, "dogs", [IDS, np.where(IDS == 7, 0, IDS)])
    add(tmp_path, "other", [IDS])
    listed(tmp_path, "2017/val", "dogs\n")
    (dogs,) = pickle.loads(pickle.dumps(davis.sequences(tmp_path, "2017/val")))  # as to a worker
    assert (dogs.name, dogs.rate, dogs.num_frames, [*dogs.objects]) == ("dogs", 24.0, 2, [2, 7])
    (frame, first), (_, second) = dogs.frames()
    assert frame.size == IDS.shape
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.ids, IDS)
    assert first.boxes == {2: (2, 0, 2, 2), 7: (4, 1, 1, 1)}
    assert second.boxes == {2: (2, 0, 2, 2), 7: None}


def test_all_that_is_not_black_is_the_object_of_2016(tmp_path):
    add(tmp_path, "dogs", [IDS])
    gray = tmp_path / "Annotations/480p/dogs/00000.png"
    for written in (gray.read_bytes(), gray_png(np.where(IDS > 0, np.uint8(255), np.uint8(0)))):
        gray.write_bytes(written)
        (dogs,) = davis.sequences(tmp_path, "2016/val")
        ((_, truth),) = dogs.frames()
        np.testing.assert_array_equal(truth.ids, IDS > 0)
        assert truth.boxes == {1: (1, 0, 4, 3)}


def test_the_list_of_2016_in_its_own_form(tmp_path):
    for name in ("a", "b", "c"):
        add(tmp_path, name, [IDS, IDS])
    lines = [f"/JPEGImages/480p/{n}/0000{i}.jpg /Annotations/480p/{n}/0000{i}.png" for n in "ca" for i in (0, 1)]
    listed(tmp_path, "480p/val", "\n".join(lines))
    assert [sequence.name for sequence in davis.sequences(tmp_path, "2016/val")] == ["c", "a"]
    with pytest.raises(DataError, match=r"ImageSets/2016/train\.txt is missing"):
        davis.sequences(tmp_path, "2016/train")
    with pytest.raises(DataError, match=r"ImageSets/2017/val\.txt is missing"):
        davis.sequences(tmp_path, "2017/val")


def test_the_test_splits_have_one_mask(tmp_path):
    add(tmp_path, "dogs", [IDS], num_frames=3)
    listed(tmp_path, "2017/test-dev", "dogs")
    (dogs,) = davis.sequences(tmp_path, "2017/test-dev")
    assert [truth is not None for _, truth in dogs.frames()] == [True, False, False]
    assert dogs.withheld


def test_missing_pieces_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no masks in .*Annotations/480p; wanted DAVIS"):
        davis.sequences(tmp_path, "2017/val")
    add(tmp_path, "dogs", [IDS], num_frames=2)
    with pytest.raises(DataError, match=r"00001\.jpg has no mask; wanted .*00001\.png"):
        davis.sequences(tmp_path, "2017/val")
    listed(tmp_path, "2017/train", "cats")
    with pytest.raises(DataError, match=r"no pictures in .*cats"):
        davis.sequences(tmp_path, "2017/train")
    with pytest.raises(ConfigError, match=r"no split 'val'; there is 2016/train"):
        davis.sequences(tmp_path, "val")


def test_masks_that_do_not_fit_are_named(tmp_path):
    add(tmp_path, "dogs", [IDS, IDS[:2], IDS])
    (dogs,) = davis.sequences(tmp_path, "2017/val")
    with pytest.raises(DataError, match=r"00001\.png is 6x2 pixels, its picture .*00001\.jpg 6x3"):
        list(dogs.frames())
    mask = tmp_path / "Annotations/480p/dogs/00000.png"
    for data, message in (
        (b"no picture", "not a PNG that can be decoded"),
        (gray_png(IDS.astype(np.uint16)), "ids of 16 bits"),
        (cv2.imencode(".png", np.zeros((3, 6, 3), np.uint8))[1].tobytes(), "wanted an indexed or a gray one"),
    ):
        mask.write_bytes(data)
        with pytest.raises(DataError, match=rf"00000\.png.*{message}"):
            davis.sequences(tmp_path, "2017/val")


def test_real_sequences(test_data):
    found = datasets.load_tracked("davis", test_data / "davis", "2016/val")
    assert {each.name: each.num_frames for each in found} == {
        "blackswan": 50,
        "car-roundabout": 75,
        "horsejump-high": 50,
        "soapbox": 99,
    }
    for each in found:
        assert [*each.objects] == [1]
        ((frame, truth),) = islice(each.frames(), 1)
        assert frame.size == (480, 854)
        assert truth is not None
        assert truth.ids is not None
        x, y, width, height = truth.boxes[1] or (0, 0, 0, 0)
        inside = truth.ids[int(y) : int(y + height), int(x) : int(x + width)]
        assert inside.sum() == truth.ids.sum() > 0.15 * width * height


def test_a_mask_that_stands_still_loses_the_swan_slowly(test_data):
    swan = datasets.load_tracked("davis", test_data / "davis", "2016/val")[0]
    masks = [truth.ids for _, truth in islice(swan.frames(), 8) if truth is not None]
    (score,) = score_masks(masks, [masks[0]] * 8, {1: scored_frames(0, 8, last=False)}).values()
    assert score.frames == 6
    assert 0.6 < score.j_sum / 6 < 0.97
    assert 0.4 < score.f_sum / 6 < 0.99
