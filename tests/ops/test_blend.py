"""How much each of two keyframes is trusted."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.ops.blend import doubt, gray_levels, photometric_error, weigh

SIZE = (20, 30)


def picture(seed=0) -> Any:
    return np.random.default_rng(seed).integers(0, 200, (*SIZE, 4)).astype(np.uint8)


def field(u=0.0, v=0.0, inconsistency=0.0) -> Any:
    return np.broadcast_to(np.array([u, v, inconsistency, 0], np.float32), (*SIZE, 4)).copy()


def unlike(levels=0) -> Any:
    return np.full((*SIZE, 4), levels, np.uint8)


def test_what_motion_explains_is_no_error():
    there = picture()
    here = np.roll(there, (2, -3), (0, 1))
    error = photometric_error(here, there, field(3, -2), 3)
    assert error.shape == (*SIZE, 4)
    assert error.dtype == np.uint8
    assert not error[4:-4, 4:-4].any()
    assert gray_levels(photometric_error(here, there, field(), 3))[4:-4, 4:-4].min() > 5


def test_error_is_the_mean_over_colors_of_the_difference():
    there = picture()
    here = there.copy()
    here[..., 0] += 30
    here[..., 3] += 50  # does not count
    for one, other in ((here, there), (there, here)):
        levels = gray_levels(photometric_error(one, other, field(), 5))
        assert levels.dtype == np.float32
        np.testing.assert_array_equal(levels, 10)


@pytest.mark.parametrize("window", [1, 3, 5])
def test_error_is_averaged_over_a_box(window):
    here, there = picture(1), picture(2)
    raw = cv2.absdiff(here, there).astype(np.float64)
    wanted = cv2.blur(raw, (window, window))
    np.testing.assert_allclose(photometric_error(here, there, field(), window), wanted, atol=0.51)


def test_gray_levels_are_the_mean_of_three():
    error = picture()
    np.testing.assert_array_equal(gray_levels(error), error[..., :3].mean(-1, dtype=np.float32))


def doubted(error=0, inconsistency=0.0):
    return doubt(unlike(error), field(0, 0, inconsistency), error_scale=4, inconsistency_scale=8)


def test_one_scale_is_one_of_doubt():
    np.testing.assert_array_equal(doubted(), 0)
    np.testing.assert_allclose(doubted(4), 1)
    np.testing.assert_allclose(doubted(0, 16), 2)
    np.testing.assert_allclose(doubted(4, 8), 2)
    assert doubted().dtype == np.float32


def weighed(errors, fields, nearness=(1.0, 1.0)):
    scales = {"error_scale": 4.0, "inconsistency_scale": 8.0}
    return weigh(errors, fields, nearness, **scales, most_error=16.0, most_inconsistency=8.0)


@pytest.mark.parametrize("size", [(20, 30), (1, 1), (3, 16), (5, 33)])
def test_a_weight_is_the_share_of_the_trust(size):
    rng = np.random.default_rng(0)
    errors = tuple(rng.integers(0, 40, (*size, 4)).astype(np.uint8) for _ in range(2))
    fields = tuple(rng.gamma(1, 6, (*size, 4)).astype(np.float32) for _ in range(2))
    weight, least, unreliable = weighed(errors, fields, (0.9, 0.3))
    levels = [error[..., :3].astype(np.float64).mean(-1) for error in errors]
    doubts = [level / 4 + each[..., 2] / 8 for level, each in zip(levels, fields, strict=True)]
    trust = 0.9 * np.exp(-doubts[0]), 0.3 * np.exp(-doubts[1])
    np.testing.assert_allclose(weight, trust[0] / np.maximum(sum(trust), 1e-12), atol=1e-5)
    np.testing.assert_allclose(least, np.minimum(*doubts), rtol=1e-5)
    cost = np.minimum(fields[0][..., 2], fields[1][..., 2])
    assert unreliable == np.mean((np.minimum(*levels) > 16) | (cost > 8))
    assert weight.dtype == least.dtype == np.float32


def test_the_one_that_is_trusted_more_weighs_more():
    for errors, fields, wanted in (
        ((unlike(), unlike()), (field(), field()), 1 / 2),
        ((unlike(4), unlike()), (field(), field()), 1 / (1 + np.e)),
        ((unlike(), unlike(4)), (field(), field()), np.e / (1 + np.e)),
        ((unlike(), unlike()), (field(0, 0, 8), field()), 1 / (1 + np.e)),
    ):
        np.testing.assert_allclose(weighed(errors, fields)[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(weighed((unlike(), unlike()), (field(), field()), (0.25, 0.75))[0], 0.25, rtol=1e-6)


def test_the_other_keyframe_itself_is_not_mixed_in():
    assert not weighed((unlike(), unlike()), (field(), field()), (0.0, 1.0))[0].any()


def test_where_neither_is_alike_the_later_one_is_taken():
    weight, least, unreliable = weighed((unlike(255), unlike(255)), (field(0, 0, 200), field(0, 0, 200)))
    assert weight.max() < 0.01
    assert least.min() > 80
    assert unreliable == 1
