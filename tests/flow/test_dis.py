"""Dense inverse search: what its options do, and pictures that are smaller than its patches."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.flow import dis


def blobs(height=80, width=96) -> Any:
    noise = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
    return cv2.equalizeHist(cv2.GaussianBlur(noise, (0, 0), 2))


def shifted(picture, dx, dy):
    return np.roll(picture, (dy, dx), (0, 1))


def error(displacement, wanted):
    return float(np.median(np.linalg.norm(displacement[12:-12, 12:-12] - wanted, axis=-1)))


@pytest.mark.parametrize(
    "options", [{"finest": 0}, {"finest": 1}, {"finest": 2}, {"stride": 4, "iterations": 20}, {"normalize": True}]
)
def test_every_setting_finds_a_translation(options):
    flow = dis.build(dis.Config(**options))
    assert error(flow(shifted(blobs(), 3, -2), blobs()), (-3, 2)) < 0.3


def test_normalization_withstands_flicker():
    dim = np.clip(blobs().astype(int) // 2 + 40, 0, 255).astype(np.uint8)
    bright = shifted(dim, 2, 1) + np.uint8(30)
    plain, normalized = (dis.build(dis.Config(normalize=n))(bright, dim) for n in (False, True))
    assert error(normalized, (-2, -1)) < 0.3 < error(plain, (-2, -1))


def test_a_guess_reaches_farther_than_the_search():
    large: Any = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (120, 300)).astype(np.uint8), (0, 0), 1)
    before, after = (np.ascontiguousarray(large[:, x : x + 160]) for x in (60, 20))
    flow = dis.build(dis.Config())
    guess = np.full((*before.shape, 2), (-40, 0), np.float32)
    inside = np.s_[16:-16, 56:-16]
    wanted = np.array([-40, 0])
    searched, guided = (np.abs(flow(after, before, start)[inside] - wanted).mean() for start in (None, guess))
    assert guided < 0.3
    assert guided < searched


@pytest.mark.parametrize("finest", [0, 2, 5])
def test_sizes_do_not_remember_each_other(finest):
    """Small pictures are solved on the scales that they have; large ones that follow on those of the setting."""
    flow, fresh = (dis.build(dis.Config(finest=finest)) for _ in range(2))
    small = blobs(20, 150), shifted(blobs(20, 150), 1, 0)
    guess = np.full((80, 96, 2), (-3, 2), np.float32)
    flow(*small)
    flow(*small, np.zeros((20, 150, 2), np.float32))
    large = shifted(blobs(), 3, -2), blobs()
    np.testing.assert_array_equal(flow(*large), fresh(*large))
    np.testing.assert_array_equal(flow(*large, guess), fresh(*large, guess))


@pytest.mark.parametrize("size", [(8, 64), (64, 8), (10, 12)])
def test_vectors_of_enlarged_pictures_shrink_back(size):
    """A texture that is finer than the picture would not survive; one slow wave does."""
    height, width = size
    x, y = np.meshgrid(np.arange(-1, width + 1), np.arange(-1, height + 1))
    wave = np.rint(127 + 60 * np.sin(x / 2.5) + 60 * np.cos(y / 2.5)).astype(np.uint8)
    here, there = wave[1:-1, :-2].copy(), wave[1:-1, 1:-1].copy()  # the content moves right by one
    displacement = dis.build(dis.Config(finest=0, normalize=False))(here, there)
    np.testing.assert_allclose(np.median(displacement, (0, 1)), [-1, 0], atol=0.25)
