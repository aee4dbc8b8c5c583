from __future__ import annotations

import numpy as np
import pytest

from vss_ray.tracking.crops import Crop, search_crop, shared

SIZE = (240, 416)
FRAME = (480, 854)


def box(y: float, x: float, side: float = 40.0) -> np.ndarray:
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])


def test_a_crop_has_its_area_around_its_center():
    crop = search_crop((240.0, 427.0), 200.0 * 347, SIZE, FRAME)
    assert (crop.height, crop.width) == (200, 347)
    assert (crop.top + crop.height / 2, crop.left + crop.width / 2) == pytest.approx((240, 427), abs=1)


def test_it_is_moved_into_the_frame():
    crop = search_crop((10.0, 850.0), 200.0 * 347, SIZE, FRAME)
    assert (crop.top, crop.left) == (0, 854 - 347)


def test_it_is_made_smaller_until_it_fits_in_one_direction():
    crop = search_crop((240.0, 427.0), 1e9, SIZE, FRAME)
    assert (crop.height, crop.width) == (493, 854)
    assert crop.left == 0
    assert crop.top == -7  # the frame is in its middle
    wide = search_crop((100.0, 100.0), 1e9, SIZE, (200, 1000))
    assert wide.width == 1000
    assert wide.top < 0


def test_what_is_taken_comes_back_where_it_was():
    rng = np.random.default_rng(0)
    mask = np.zeros(FRAME, np.float32)
    mask[100:200, 300:420] = 1
    for crop in (Crop(200, 50, 347, 200), Crop(-20, -30, 894, 520), Crop(350, 80, 300, 173)):
        rows, columns = crop._inside(FRAME)
        back = crop.paste(crop.take_mask(mask, SIZE), FRAME)
        expected = np.zeros_like(mask)
        expected[rows, columns] = mask[rows, columns]
        assert np.mean(np.abs(back - expected) > 0.5) < 0.002
        assert not back[expected == 0].all()
    frame = rng.integers(0, 255, (*FRAME, 3), np.uint8)
    assert Crop(-20, -30, 894, 520).take(frame, SIZE).shape == (*SIZE, 3)
    assert np.array_equal(Crop(3, 5, 416, 240).take(frame, SIZE), frame[5:245, 3:419])


def test_beyond_the_frame_is_its_rim_but_no_mask():
    frame = np.full((20, 20, 3), 7, np.uint8)
    crop = Crop(-10, -10, 40, 40)
    assert (crop.take(frame, (40, 40)) == 7).all()
    assert crop.take_mask(np.ones((20, 20), bool), (40, 40)).sum() == 400


def test_points_go_there_and_back():
    crop = Crop(200, 50, 832, 480)
    point = np.array([170.0, 330.0])
    assert crop.to_crop(point, SIZE).tolist() == [60.0, 65.0]
    assert crop.to_frame(crop.to_crop(point, SIZE), SIZE).tolist() == [170.0, 330.0]


def test_a_crop_serves_others_that_it_holds():
    large, small, far = (
        search_crop(c, a, SIZE, FRAME) for c, a in (((200, 300), 9e4), ((210, 320), 6e4), ((400, 700), 6e4))
    )
    boxes = [box(200, 300), box(210, 320), box(400, 700)]
    assert shared([small, large, far], [boxes[1], boxes[0], boxes[2]], 1.5) == [large, large, far]
    assert shared([small, large, far], [boxes[1], boxes[0], boxes[2]], 1.01) == [small, large, far]
    assert shared([small, small, far], [boxes[1], boxes[1], boxes[2]], 0.0) == [small, small, far]


def test_whole_frames_are_one():
    whole = [search_crop(center, 1e9, SIZE, FRAME) for center in ((10.0, 10.0), (470.0, 840.0))]
    assert shared(whole, [box(10, 10), box(470, 840)], 1.5) == [whole[0]] * 2
