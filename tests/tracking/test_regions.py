"""Masks out of a PNG, a box, or labels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from vss_ray.errors import DataError
from vss_ray.tracking import regions

SIZE = 60, 80


def png(tmp_path, array, mode=None):
    path = tmp_path / "mask.png"
    picture = Image.fromarray(array)
    if mode:
        picture.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    picture.save(path)
    return path


@pytest.fixture
def drawn():
    mask = np.zeros(SIZE, np.uint8)
    mask[10:30, 20:50] = 1
    mask[40:50, 5:15] = 2
    return mask


@pytest.mark.parametrize("mode", [None, "P"])
def test_png_gray_or_indexed(tmp_path, drawn, mode):
    path = png(tmp_path, drawn, mode)
    assert (regions.from_png(path, None, SIZE, "it") == (drawn > 0)).all()
    assert (regions.from_png(path, 2, SIZE, "it") == (drawn == 2)).all()


def test_png_that_does_not_fit(tmp_path, drawn):
    path = png(tmp_path, drawn)
    with pytest.raises(DataError, match=r"it: .* is 80x60 pixels, the video 81x60; draw it on a frame"):
        regions.from_png(path, None, (60, 81), "it")
    with pytest.raises(DataError, match="no pixel of value 7"):
        regions.from_png(path, 7, SIZE, "it")
    with pytest.raises(DataError, match="no pixel other than 0"):
        regions.from_png(png(tmp_path, 0 * drawn), None, SIZE, "it")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        regions.from_png(tmp_path / "none.png", None, SIZE, "it")
    with pytest.raises(DataError, match="is a PNG of rgb24; wanted an indexed or a gray one"):
        regions.from_png(png(tmp_path, np.stack([drawn] * 3, 2)), None, SIZE, "it")
    path.write_bytes(b"no PNG at all")
    with pytest.raises(DataError, match="not a PNG"):
        regions.from_png(path, None, SIZE, "it")


def test_packed_masks_are_the_same(drawn):
    for mask in (drawn > 0, drawn > 5, np.ones((1, 1), bool), np.arange(77).reshape(7, 11) % 3 == 0):
        assert (regions.unpacked(regions.packed(mask)) == mask).all()


def test_the_largest_region_of_a_class():
    ids = np.zeros(SIZE, np.uint8)
    ids[5:10, 5:10] = ids[20:40, 30:60] = 8
    ids[41:60] = 3
    assert (regions.largest(ids, 8) == ((ids == 8) & (np.arange(80) >= 30))).all()
    assert regions.largest(ids, 5) is None


def test_a_box_takes_the_region_that_fills_it():
    ids = np.full(SIZE, 3, np.uint8)
    ids[10:30, 20:50] = 8
    ids[12:16, 60:64] = 8
    picture = np.zeros((*SIZE, 3), np.uint8)
    assert (regions.from_box((18, 8, 52, 31), picture, ids, "it") == ((ids == 8) & (np.arange(80) < 55))).all()


def test_a_box_without_labels_is_cut_out():
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 110, (120, 160, 3)).astype(np.uint8)
    truth = np.zeros((120, 160), np.uint8)
    cv2.ellipse(truth, (80, 60), (30, 20), 0, 0, 360, 1, cv2.FILLED)
    picture[truth > 0] = rng.integers(180, 220, (int(truth.sum()), 3)) * (1, 0.3, 0.2)
    mask = regions.from_box((48, 38, 113, 83), picture, None, "it")
    overlap = (mask & (truth > 0)).sum() / (mask | (truth > 0)).sum()
    assert overlap > 0.95


def test_where_nothing_can_be_told_apart_the_box_is_filled():
    picture = np.full((60, 80, 3), 128, np.uint8)
    mask = regions.from_box((10, 10, 50, 40), picture, np.full(SIZE, 3, np.uint8), "it")
    assert 0.3 * 40 * 30 < mask.sum() <= 40 * 30
    assert not mask[:10].any()
    assert not mask[40:].any()
    whole = regions.from_box((-5, -5, 100, 100), picture, None, "it")
    assert whole.any()


def test_a_box_outside_is_refused():
    picture = np.zeros((60, 80, 3), np.uint8)
    with pytest.raises(DataError, match="lies outside the 80x60 picture; give one inside"):
        regions.from_box((80, 0, 90, 10), picture, None, "it")
    with pytest.raises(DataError, match="lies outside"):
        regions.from_box((3, 3, 3.4, 3.2), picture, None, "it")
