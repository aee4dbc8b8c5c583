"""What every flow promises: u with here(x) ~ there(x + u(x)), for pictures of any size, the same one every time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vss_ray import plugins

NEAR = 0.3
"""Pixels of error, at the median, on a texture that moves as a whole."""


@pytest.fixture(scope="module", params=plugins.names("flow"))
def module(request):
    return plugins.load("flow", request.param)


@pytest.fixture
def flow(module):
    return module.build(module.Config())


def texture(height, width, seed=0):
    """Blobs of several sizes, full contrast."""
    rng = np.random.default_rng(seed)
    layers = [cv2.resize(rng.random((height // s + 2, width // s + 2)), (width, height)) for s in (2, 5, 11, 23)]
    total = np.sum(layers, 0) - np.min(layers)
    return np.rint(255 * total / total.max()).astype(np.uint8)


def translated(height, width, dx, dy):
    """Two pictures; the content of the second lies dx to the right of where it is in the first, and dy below."""
    margin = 32
    large = texture(height + 2 * margin, width + 2 * margin)
    before = large[margin : margin + height, margin : margin + width]
    after = large[margin - dy : margin - dy + height, margin - dx : margin - dx + width]
    return np.ascontiguousarray(before), np.ascontiguousarray(after)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-4, 3), (7, 5)])
def test_a_translation_is_found_with_its_sign(flow, dx, dy):
    before, after = translated(96, 128, dx, dy)
    inside = np.s_[16:-16, 16:-16]
    for here, there, wanted in ((after, before, (-dx, -dy)), (before, after, (dx, dy))):
        displacement = flow(here, there)
        assert displacement.shape == (96, 128, 2)
        assert displacement.dtype == np.float32
        error = np.linalg.norm(displacement[inside] - wanted, axis=-1)
        assert np.median(error) < NEAR
        assert np.mean(error < 1) > 0.95


def test_identical_pictures_do_not_move(flow):
    picture = texture(90, 120)
    displacement = flow(picture, picture.copy())
    np.testing.assert_allclose(displacement[8:-8, 8:-8], 0, atol=1e-3)
    assert np.abs(displacement).max() < 1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_without_texture_do_not_move(flow, level):
    picture = np.full((60, 80), level, np.uint8)
    np.testing.assert_allclose(flow(picture, picture), 0, atol=1e-3)


@pytest.mark.parametrize(
    "size", [(8, 8), (1, 1), (2, 40), (9, 15), (16, 16), (17, 31), (15, 200), (200, 15), (33, 47), (121, 90)]
)
@pytest.mark.parametrize("is_guessed", [False, True])
def test_any_size(flow, size, is_guessed):
    height, width = size
    before, after = translated(height, width, 1, 0)
    initial = np.full((*size, 2), (-1, 0), np.float32) if is_guessed else None
    displacement = flow(after, before, initial)
    assert displacement.shape == (*size, 2)
    assert displacement.dtype == np.float32
    assert np.isfinite(displacement).all()
    assert np.abs(displacement).max() < 10


@pytest.mark.parametrize("size", [(8, 8), (17, 31)])
def test_identical_small_pictures_do_not_move(flow, size):
    height, width = size
    picture = texture(height, width)
    np.testing.assert_allclose(flow(picture, picture), 0, atol=1e-3)


def test_a_guess_is_taken_and_left_as_it_was(flow):
    before, after = translated(96, 128, 6, -4)
    initial = np.full((96, 128, 2), (-6, 4), np.float32)
    given = initial.copy()
    error = np.linalg.norm(flow(after, before, initial) - (-6, 4), axis=-1)
    np.testing.assert_array_equal(initial, given)
    assert np.median(error[16:-16, 16:-16]) < NEAR


def test_the_answer_does_not_depend_on_what_was_asked_before(module):
    before, after = translated(64, 80, 2, 1)
    guess = np.full((64, 80, 2), -1, np.float32)
    flow, fresh = module.build(module.Config()), module.build(module.Config())
    first, guessed = flow(after, before), flow(after, before, guess)
    flow(*translated(33, 47, -3, 2))
    flow(before, after, guess)
    np.testing.assert_array_equal(flow(after, before), first)
    np.testing.assert_array_equal(fresh(after, before), first)
    np.testing.assert_array_equal(fresh(after, before, guess), guessed)


def test_an_answer_is_the_callers_own(flow):
    before, after = translated(64, 80, 2, 1)
    first = flow(after, before)
    kept = first.copy()
    flow(before, after)
    np.testing.assert_array_equal(first, kept)


def test_pictures_are_not_written_to(flow):
    before, after = translated(64, 80, 2, 1)
    for picture in (before, after):
        picture.flags.writeable = False
    flow(after, before)
