"""Polynomial expansion: its options, and that a first guess helps it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.flow import farneback


def windows(offset) -> Any:
    large = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (100, 260)).astype(np.uint8), (0, 0), 2)
    large = cv2.equalizeHist(large)
    return (np.ascontiguousarray(large[:, x : x + 130]) for x in (60, 60 - offset))


@pytest.mark.parametrize("options", [{}, {"levels": 1}, {"window": 15}, {"iterations": 5}])
def test_every_setting_finds_a_translation(options):
    before, after = windows(2)
    displacement = farneback.build(farneback.Config(**options))(after, before)
    np.testing.assert_allclose(np.median(displacement[12:-12, 12:-12], (0, 1)), [-2, 0], atol=0.2)


def test_a_guess_reaches_farther_than_the_search():
    before, after = windows(30)
    flow = farneback.build(farneback.Config())
    guess = np.full((*before.shape, 2), (-30, 0), np.float32)
    inside = np.s_[12:-12, 45:-12]
    searched, guided = (np.abs(flow(after, before, start)[inside] - (-30, 0)).mean() for start in (None, guess))
    assert guided < 0.5 < searched
