"""What schedules look at: thumbnails, and what a label risks from picture to picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vss_ray.frames import Frame, Planes
from vss_ray.signals import IMAGENET_MEAN, IMAGENET_STD, Signals


def still(here, there, initial=None):
    return np.zeros((*here.shape, 2), np.float32)


def planes(y: Any) -> Planes:
    chroma: Any = np.full((y.shape[0] // 2, y.shape[1] // 2), 128, np.uint8)
    return Planes(y, chroma, chroma)


def texture(seed: int = 0) -> Any:
    noise = np.random.default_rng(seed).integers(0, 256, (48, 64)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def signals(pictures, flow=still) -> Signals:
    return Signals(pictures, np.arange(len(pictures)) / 25, flow)


def test_thumbnails_are_small_normalized_rgb():
    image = np.full((64, 96, 3), (40, 120, 200), np.uint8)
    thumbnails = signals([Frame.from_rgb(image).planes(32, 48)] * 3).thumbnails
    assert thumbnails.shape == (3, 8, 12, 3)
    # Luma of limited range is taken as it is; order and spread of the colors are what counts.
    rgb = thumbnails[0, 4, 6] * IMAGENET_STD + IMAGENET_MEAN
    np.testing.assert_allclose(rgb, (40, 120, 200), atol=25)


def test_thumbnails_of_pictures_smaller_than_one():
    assert signals([planes(np.zeros((2, 2), np.uint8))]).thumbnails.shape == (1, 1, 1, 3)


def test_still_pictures_risk_nothing():
    np.testing.assert_array_equal(signals([planes(texture())] * 4).risk, 0)


def test_risk_is_what_motion_does_not_explain():
    dark, bright = np.full((48, 64), 80, np.uint8), np.full((48, 64), 95, np.uint8)
    np.testing.assert_array_equal(signals([planes(dark), planes(bright), planes(bright)]).risk, [0, 15, 0])


def test_motion_that_is_found_risks_nothing():
    large = np.random.default_rng(0).integers(0, 256, (24, 40)).astype(np.uint8)
    large = np.kron(large, np.ones((2, 2), np.uint8))
    before, after = np.ascontiguousarray(large[:, 4:68]), np.ascontiguousarray(large[:, :64])  # moves right by 4

    def flow(here, there, initial=None):
        to_after = np.array_equal(there, after[::2, ::2])
        return np.full((*here.shape, 2), (2 if to_after else -2, 0), np.float32)

    pictures = [planes(before), planes(after)]
    moved, unmoved = signals(pictures, flow).risk[1], signals(pictures).risk[1]
    assert moved < unmoved / 5


def test_motion_that_contradicts_itself_risks_all():
    def flow(here, there, initial=None):
        return np.full((*here.shape, 2), 3, np.float32)

    flat = np.full((48, 64), 80, np.uint8)
    np.testing.assert_allclose(signals([planes(flat), planes(flat)], flow).risk, [0, 100])


def test_one_picture():
    assert signals([planes(texture())]).risk.tolist() == [0]
