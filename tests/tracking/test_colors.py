from __future__ import annotations

import numpy as np
import pytest

from vss_ray.tracking.colors import DARK, Config, describe, distance, likeness, mixed

PICTURE = np.zeros((60, 40, 3), np.uint8)
PICTURE[:20], PICTURE[20:40], PICTURE[40:] = (200, 0, 0), (0, 150, 0), (0, 0, 100)
WHOLE = np.ones((60, 40), np.float32)


def test_three_stripes_from_top_to_bottom():
    expected = [[200, 0, 0], [0, 150, 0], [0, 0, 100]]
    assert describe(PICTURE, WHOLE) == pytest.approx(np.log(np.array(expected, float) + DARK).ravel())


def test_only_what_is_certain_counts():
    mask = WHOLE.copy()
    mask[:, :20] = 0.7
    changed = PICTURE.copy()
    changed[:, :20] = 255
    assert describe(changed, mask) == describe(PICTURE, WHOLE)


def test_too_few_pixels_say_nothing():
    few = np.zeros((60, 40), np.float32)
    few[0, :30] = 1
    assert describe(PICTURE, few) == ()
    assert distance((), describe(PICTURE, WHOLE)) == 0


def test_light_is_a_shift_and_colors_are_not():
    gray = np.full((60, 40, 3), 100, np.uint8)
    darker, tinted = (gray * 0.9).astype(np.uint8), gray.copy()
    tinted[..., 0] = 130
    own = describe(gray, WHOLE)
    assert distance(own, describe(darker, WHOLE)) == pytest.approx(np.log(116 / 106), abs=1e-6)
    assert distance(own, describe(tinted, WHOLE)) == pytest.approx(np.log(146 / 116) / np.sqrt(3), abs=1e-6)


def test_who_changes_much_may_differ_more():
    config = Config()
    assert likeness(0.0, 0.0, config) == 1
    assert likeness(0.2, 0.0, config) < 0.1 < likeness(0.2, 0.1, config)


def test_what_is_remembered_moves_slowly():
    assert mixed((1.0, 2.0), (2.0, 4.0), 0.1) == pytest.approx((1.1, 2.2))
    assert mixed((), (1.0,), 0.1) == (1.0,)
    assert mixed((1.0,), (), 0.1) == (1.0,)
