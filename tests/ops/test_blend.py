"""How much each of two keyframes is trusted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vss_ray.ops.blend import photometric_error, trust

SIZE = (20, 30)
NONE = np.zeros(SIZE, np.float32)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 200, (*SIZE, 3)).astype(np.uint8)


def still():
    return np.zeros((*SIZE, 2), np.float32)


def test_what_motion_explains_is_no_error():
    there = picture()
    here = np.roll(there, (2, -3), (0, 1))
    displacement = still() + np.array([3, -2], np.float32)
    error = photometric_error(here, there, displacement, 3)
    assert error.shape == SIZE
    assert error.dtype == np.float32
    assert not error[4:-4, 4:-4].any()
    assert photometric_error(here, there, still(), 3)[4:-4, 4:-4].min() > 5


def test_error_is_the_mean_over_colors_of_the_difference():
    there = picture()
    here = there.copy()
    here[..., 0] += 30
    np.testing.assert_allclose(photometric_error(here, there, still(), 5), 10)
    np.testing.assert_allclose(photometric_error(there, here, still(), 5), 10)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_error_is_averaged_over_a_box(window):
    here, there = picture(1), picture(2)
    raw = cv2.absdiff(here, there).astype(np.float64)
    wanted = cv2.blur(raw, (window, window)).mean(-1)
    np.testing.assert_allclose(photometric_error(here, there, still(), window), wanted, atol=0.51)


def weighed(distance=1.0, error=NONE, inconsistency=NONE):
    return trust(distance, error, inconsistency, distance_power=0.5, error_scale=4, inconsistency_scale=8)


def test_one_scale_costs_a_factor_e():
    np.testing.assert_allclose(weighed(), 1)
    np.testing.assert_allclose(weighed(error=NONE + 4), np.exp(-1), rtol=1e-6)
    np.testing.assert_allclose(weighed(inconsistency=NONE + 16), np.exp(-2), rtol=1e-6)
    np.testing.assert_allclose(weighed(0.25, NONE + 4, NONE + 8), 0.5 * np.exp(-2), rtol=1e-6)
    assert weighed().dtype == np.float32


def test_the_other_keyframe_itself_is_not_mixed_in():
    assert not weighed(0.0).any()
