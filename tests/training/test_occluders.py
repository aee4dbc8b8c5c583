"""Things that are cut out and pasted: they bring their label along, exactly where their pixels are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.training.occluders import Mover, cut_out, send

CAR = 8


def still():
    """A car of 30x20 pixels whose picture is 200, and one that touches the border."""
    labels = np.zeros((90, 120), np.uint8)
    labels[40:60, 30:60] = CAR
    labels[0:30, 100:120] = CAR
    image = np.full((90, 120, 3), 50, np.uint8)
    image[labels == CAR] = 200
    return image, labels


def test_only_whole_things_are_cut_out():
    (thing,) = cut_out(*still(), [CAR, 9])
    assert thing.label == CAR
    assert thing.image.shape[:2] == thing.alpha.shape == (22, 32)
    assert thing.center == pytest.approx((44.5 / 120, 49.5 / 90))
    assert not cut_out(*still(), [3])


def test_what_is_too_small_stays():
    labels = np.zeros((50, 50), np.uint8)
    labels[10:14, 10:14] = CAR
    assert not cut_out(np.zeros((50, 50, 3), np.uint8), labels, [CAR])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), time=st.floats(-10, 10))
def test_a_pasted_thing_has_its_own_color_and_label(seed, time):
    (thing,) = cut_out(*still(), [CAR])
    image, labels = np.full((90, 120, 3), 50, np.uint8), np.zeros((90, 120), np.uint8)
    send(thing, 90, 120, 0.02, np.random.default_rng(seed)).paste(image, labels, time)
    bright = image[..., 0] > 125
    assert {*np.unique(labels)} <= {0, CAR}
    # They part at the rim alone, where the thing is half transparent.
    around, thing_there = np.ones((3, 3), np.uint8), (labels == CAR).astype(np.uint8)
    assert bright[cv2.erode(thing_there, around, borderValue=0) == 1].all()
    assert not bright[cv2.dilate(thing_there, around) == 0].any()
    assert (image >= 50).all()


def test_it_moves_and_grows():
    (thing,) = cut_out(*still(), [CAR])
    mover = Mover(thing, np.array([60.0, 45.0]), np.array([4.0, -1.0]), scale=1.0, growth=0.02, mirrored=False)

    def at(time):
        image, labels = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
        mover.paste(image, labels, time)
        rows, columns = np.nonzero(labels == CAR)
        return np.array([columns.mean(), rows.mean()]), len(rows)

    (before, small), (after, large) = at(0), at(5)
    np.testing.assert_allclose(after - before, (20, -5), atol=1)
    assert large > 1.15 * small


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("start", [(-8, 45), (123, 45), (60, -4), (60, 93), (500, 500)])
def test_at_the_border_it_is_cut(start, mirrored):
    (thing,) = cut_out(*still(), [CAR])
    image, labels = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
    Mover(thing, np.array(start, float), np.zeros(2), scale=1.0, growth=0.0, mirrored=mirrored).paste(image, labels, 3)
    assert (labels == CAR).any() == (start != (500, 500))
    assert image[labels == CAR].size == 0 or image[labels == CAR].min() > 90


def test_mirroring_mirrors():
    (thing,) = cut_out(*still(), [CAR])
    thing.image[:, :16] = 120  # its left half
    seen = []
    for mirrored in (False, True):
        image, labels = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
        Mover(thing, np.array([60.0, 45.0]), np.zeros(2), scale=1.0, growth=0.0, mirrored=mirrored).paste(
            image, labels, 0
        )
        seen.append(image)
    np.testing.assert_allclose(seen[1][:, 44:76][:, ::-1].astype(int), seen[0][:, 44:76], atol=1)
