"""Random views: the same from the same generator, and labels that stay on their pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.training.augment import Config, random_view

PLAIN: dict[str, Any] = {
    "scale": (1.0, 1.0), "brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "blur": 0,
}  # fmt: skip


def still(height: int = 60, width: int = 90) -> tuple[Any, Any]:
    """Gray blocks whose level is 20 times their label."""
    blocks = np.random.default_rng(0).integers(0, 12, (height // 15, width // 15)).astype(np.uint8)
    labels = np.kron(blocks, np.ones((15, 15), np.uint8))
    return np.repeat(labels[..., None] * np.uint8(20), 3, 2), labels


def view(seed: int = 0, size: tuple[int, int] = (60, 90), **options: Any):
    return random_view(*still(*size), Config(**{"crop": 48, **options}), np.random.default_rng(seed))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), crop=st.integers(16, 100), low=st.floats(0.3, 1), high=st.floats(1, 3))
def test_a_view(seed, crop, low, high):
    image, labels = view(seed, crop=crop, scale=(low, high))
    assert (image.shape, labels.shape) == ((crop, crop, 3), (crop, crop))
    assert image.dtype == labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {*range(12), 255}


def test_the_generator_decides():
    one, two, other = view(1), view(1), view(2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_the_still_is_left_as_it_was():
    image, labels = still()
    kept = image.copy(), labels.copy()
    for seed in range(5):
        random_view(image, labels, Config(crop=48), np.random.default_rng(seed))
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(labels, kept[1])


def test_views_are_the_still_or_its_mirror_image():
    image, labels = still(60, 60)
    kinds = set()
    for seed in range(20):
        seen, ids = view(seed, (60, 60), crop=60, **PLAIN)
        is_mirrored = not np.array_equal(ids, labels)
        kinds.add(is_mirrored)
        np.testing.assert_array_equal(ids, labels[:, ::-1] if is_mirrored else labels)
        np.testing.assert_allclose(seen.astype(int), image[:, ::-1] if is_mirrored else image, atol=2)
    assert kinds == {True, False}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0.5, 3))
def test_labels_stay_on_their_pixels(seed, scale):
    options = {**PLAIN, "scale": (scale, scale)}
    image, labels = view(seed, crop=64, **options)
    expected = np.where(labels == 255, 0, labels * 20)
    # Linear against nearest: they part at the borders between blocks alone.
    around = np.ones((7, 7), np.uint8)
    inner = cv2.erode(labels, around) == cv2.dilate(labels, around)
    inner[[*range(3), *range(-3, 0)]] = inner[:, [*range(3), *range(-3, 0)]] = False
    assert inner.any()
    np.testing.assert_allclose(image[..., 0].astype(int)[inner], expected[inner], atol=2)


@pytest.mark.parametrize("seed", range(5))
def test_a_view_lies_inside_a_still_that_is_large_enough(seed):
    _, labels = view(seed, (150, 210), crop=64, **PLAIN)
    assert 255 not in labels


def test_what_lies_outside_is_black_and_void():
    image, labels = view(0, (30, 45), crop=100, **PLAIN)
    outside = labels == 255
    assert outside.sum() == pytest.approx(100 * 100 - 30 * 45, abs=200)
    assert not image[outside].any()
    rows, columns = np.nonzero(~outside)
    # In the middle.
    assert abs(rows.mean() - 49.5) < 1.5
    assert abs(columns.mean() - 49.5) < 1.5


def test_enlarging_enlarges():
    image, labels = still(240, 240)
    view_at_two = random_view(
        image, labels, Config(crop=60, **{**PLAIN, "scale": (2.0, 2.0)}), np.random.default_rng(0)
    )
    changes = np.count_nonzero(np.diff(view_at_two[1].astype(int), axis=1), axis=1)
    assert changes.max() <= 2  # blocks of 15 pixels are 30 wide now, so 60 pixels see two borders at most


def test_rare_classes_are_looked_for():
    image, labels = np.zeros((300, 400, 3), np.uint8), np.zeros((300, 400), np.uint8)
    labels[250:256, 330:336] = 7
    options: Any = {**PLAIN, "crop": 64, "rare_classes": (7,)}

    def found(share):
        config = Config(**options, rare_share=share)
        return np.mean([7 in random_view(image, labels, config, np.random.default_rng(i))[1] for i in range(40)])

    assert found(1.0) == 1
    assert found(0.0) < 0.3


def test_a_rare_class_that_is_not_there_is_no_matter():
    _, labels = view(0, rare_classes=(200,), rare_share=1.0)
    assert labels.shape == (48, 48)


@pytest.mark.parametrize("option", ["brightness", "contrast", "saturation", "hue"])
def test_colors_change_and_labels_do_not(option):
    rng = np.random.default_rng(0)
    image, labels = rng.integers(40, 200, (48, 48, 3)).astype(np.uint8), still(60, 60)[1][:48, :48].copy()
    strong: Any = {**PLAIN, option: 40.0 if option == "hue" else 0.6}

    def seen(config):
        return random_view(image, labels, config, np.random.default_rng(7))

    changed, plain = seen(Config(crop=48, **strong)), seen(Config(crop=48, **PLAIN))
    np.testing.assert_array_equal(changed[1], plain[1])
    assert np.abs(changed[0].astype(int) - plain[0]).mean() > 3


def test_some_views_are_blurred():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    labels = np.zeros((48, 48), np.uint8)
    plain, blurred = (
        random_view(image, labels, Config(crop=48, **{**PLAIN, "blur": share}), np.random.default_rng(0))[0]
        for share in (0.0, 1.0)
    )
    assert blurred.std() < plain.std()
