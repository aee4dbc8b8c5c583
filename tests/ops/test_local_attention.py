"""The kernel against the definition of the attention, taken literally: one cell after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.local_attention import attend


def defined(queries, keys, values, window, zero_padding):
    """Thesis, section 4.2: every cell, every frame, every offset."""
    height, width, _ = queries.shape
    radius = window // 2
    read = np.zeros((height, width, values[0].shape[-1]))
    for y, x in np.ndindex(height, width):
        scores, found = [], []
        for key, value in zip(keys, values, strict=True):
            for row in range(y - radius, y + radius + 1):
                for column in range(x - radius, x + radius + 1):
                    if 0 <= row < height and 0 <= column < width:
                        scores.append(float(queries[y, x].astype(np.float64) @ key[row, :, column]))
                        found.append(value[row, column])
                    elif zero_padding:
                        scores.append(0.0)
                        found.append(np.zeros(value.shape[-1]))
        weights = np.exp(np.array(scores) - max(scores))
        read[y, x] = weights @ np.array(found) / weights.sum()
    return read


def memory(rng, num_frames, height, width, key_channels, value_channels, sharpness=1.0):
    queries = (sharpness * rng.normal(size=(height, width, key_channels))).astype(np.float32)
    keys = [rng.normal(size=(height, key_channels, width)).astype(np.float32) for _ in range(num_frames)]
    values = [rng.normal(size=(height, width, value_channels)).astype(np.float32) for _ in range(num_frames)]
    return queries, keys, values


@pytest.mark.parametrize("window", [1, 3, 11, 21])
@pytest.mark.parametrize("zero_padding", [False, True])
def test_it_is_the_definition(window, zero_padding):
    inputs = memory(np.random.default_rng(window), 3, 7, 10, 16, 64)
    read = attend(*inputs, window, zero_padding=zero_padding)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, defined(*inputs, window, zero_padding), rtol=1e-4, atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(
    num_frames=st.integers(1, 5),
    height=st.integers(1, 6),
    width=st.integers(1, 9),
    channels=st.tuples(st.integers(1, 20), st.integers(1, 70)),
    radius=st.integers(0, 8),
    zero_padding=st.booleans(),
    sharpness=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_any_shape(num_frames, height, width, channels, radius, zero_padding, sharpness):
    inputs = memory(np.random.default_rng(height), num_frames, height, width, *channels, sharpness)
    window = 2 * radius + 1
    read = attend(*inputs, window, zero_padding=zero_padding)
    # With scores in the hundreds float32 has their differences to 1e-5 or so.
    tolerance = 1e-4 + 1e-5 * sharpness
    np.testing.assert_allclose(read, defined(*inputs, window, zero_padding), rtol=tolerance, atol=tolerance)


def test_what_is_unlike_is_read_where_there_is_nothing_else():
    queries, keys = np.ones((1, 5, 1), np.float32), [np.full((1, 1, 5), -1000, np.float32)]
    values = [np.arange(5, dtype=np.float32).reshape(1, 5, 1)]
    np.testing.assert_allclose(attend(queries, keys, values, 1, zero_padding=True), values[0], atol=1e-30)
    assert (attend(queries, keys, values, 3, zero_padding=True) < 1e-30).all()  # zeros above and below are likelier


def test_a_memory_of_equals_is_read_unchanged():
    queries, keys, _ = memory(np.random.default_rng(0), 2, 5, 8, 16, 64)
    values = [np.full((5, 8, 64), 3.0, np.float32)] * 2
    np.testing.assert_allclose(attend(queries, keys, values, 5), 3.0, rtol=1e-5)
    padded = attend(queries, keys, values, 5, zero_padding=True)
    np.testing.assert_allclose(padded[2, 2:6], 3.0, rtol=1e-5)
    assert (padded[0] < 3).all()  # there the frame ends, and zeros are read too


def test_a_moved_picture_is_found_again():
    """Where keys are alike, values come from: two cells to the right, one down."""
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(12, 16, 16)).astype(np.float32)
    picture /= np.linalg.norm(picture, axis=-1, keepdims=True)
    moved = np.roll(picture, (1, 2), (0, 1))
    values = rng.normal(size=(12, 16, 64)).astype(np.float32)
    read = attend(100 * picture, [moved.transpose(0, 2, 1).copy()], [np.roll(values, (1, 2), (0, 1))], 5)
    np.testing.assert_allclose(read[:-1, :-2], values[:-1, :-2], atol=1e-3)


def test_huge_scores_stay_numbers():
    queries, keys, values = memory(np.random.default_rng(0), 2, 4, 6, 16, 64, sharpness=1e6)
    assert np.isfinite(attend(queries, keys, values, 3)).all()
    assert np.isfinite(attend(-queries, keys, values, 3, zero_padding=True)).all()


def test_refusals():
    queries, keys, values = memory(np.random.default_rng(0), 2, 4, 6, 16, 64)
    with pytest.raises(ValueError, match="odd window of 1 or more cells, got window = 4"):
        attend(queries, keys, values, 4)
    with pytest.raises(ValueError, match=r"len\(keys\) = 0"):
        attend(queries, [], [], 3)
    with pytest.raises(ValueError, match=r"len\(keys\) = 2, len\(values\) = 1"):
        attend(queries, keys, values[:1], 3)
    with pytest.raises(ValueError, match=r"key.shape = \(4, 16, 5\)"):
        attend(queries, [keys[0], keys[1][..., :5]], values, 3)
