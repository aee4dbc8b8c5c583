"""A camera path: smooth, of the right speed, and labels that go where their pixels go."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.training.synthetic_motion import Config, camera_path, smooth_noise, warp

HEIGHT, WIDTH = 120, 160


def moves(path: Any, height: int = 360, width: int = 480) -> Any:
    """Pixels that points of a still travel from each frame to the next."""
    y, x = np.mgrid[0 : height : height // 8, 0 : width : width // 8]
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    seen = path @ points
    return np.linalg.norm(np.diff(seen[:, :2] / seen[:, 2:], axis=0), axis=1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(1, 30))
def test_a_path_is_smooth_and_near_the_still_once(seed, count):
    path = camera_path(count, 360, 480, Config(), np.random.default_rng(seed))
    assert path.shape == (count, 3, 3)
    normed = path / path[:, 2:, 2:]
    assert np.isfinite(normed).all()
    # In one frame the still is at its place, up to the shift of less than a pixel.
    shift = normed - np.eye(3)
    assert np.abs(shift).max((1, 2)).min() < 1
    # What is seen turns and grows, and is never turned over.
    assert (np.linalg.det(normed) > 0).all()
    if count > 2:
        steps = np.median(moves(path), axis=1)
        assert np.abs(np.diff(steps)).max() < 6


def test_speeds_are_those_of_driving():
    speeds = [moves(camera_path(4, 360, 480, Config(), np.random.default_rng(i))) for i in range(200)]
    assert 2 < np.median([np.median(s) for s in speeds]) < 5
    assert 8 < np.quantile([s.max() for s in speeds], 0.7) < 30


def test_a_camera_that_stands_and_does_not_turn_sees_the_still():
    config = Config(standing=1.0, yaw=0.0)
    path = camera_path(6, HEIGHT, WIDTH, config, np.random.default_rng(0))
    np.testing.assert_allclose(path, np.broadcast_to(path[0], path.shape))
    np.testing.assert_allclose(path[0][:2, :2], np.eye(2))


def test_driving_forward_enlarges():
    config = Config(standing=0.0, yaw=0.0)
    for seed in range(10):
        path = camera_path(8, HEIGHT, WIDTH, config, np.random.default_rng(seed))
        middle = [HEIGHT / 2, WIDTH / 2]
        growth = [cv2.perspectiveTransform(np.array([[middle, [middle[0] + 5, middle[1]]]]), h)[0] for h in path]
        lengths = [np.linalg.norm(b - a) for a, b in growth]
        assert (np.diff(lengths) > 0).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_labels_stay_on_their_pixels(seed):
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 12, (6, 8)), np.ones((20, 20), int)).astype(np.uint8)
    image = np.repeat(labels[..., None] * np.uint8(20), 3, 2)
    for matrix in camera_path(4, HEIGHT, WIDTH, Config(), rng):
        seen, ids = warp(image, labels, matrix)
        around = np.ones((7, 7), np.uint8)
        inner = cv2.erode(ids, around) == cv2.dilate(ids, around)
        inner &= ids != 255
        inner[[*range(3), *range(-3, 0)]] = inner[:, [*range(3), *range(-3, 0)]] = False
        assert inner.mean() > 0.2
        np.testing.assert_allclose(seen[inner][:, 0].astype(int), ids[inner].astype(int) * 20, atol=2)


def test_what_lies_outside_is_void():
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    shifted = np.array([[1, 0, 30], [0, 1, 0], [0, 0, 1.0]])
    seen, ids = warp(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), labels, shifted)
    assert (ids[:, :29] == 255).all()
    assert (ids[:, 31:] == 0).all()
    assert (seen == 90).all()  # mirrored, not black


@pytest.mark.parametrize("count", [1, 2, 400])
def test_smooth_noise(count):
    values = smooth_noise(count, np.random.default_rng(0))
    assert values.shape == (count,)
    if count > 100:
        assert 0.5 < values.std() < 1.5
        assert np.corrcoef(values[1:], values[:-1])[0, 1] > 0.6
