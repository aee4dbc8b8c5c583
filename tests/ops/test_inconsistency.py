"""Attention: nothing where motion goes there and back, all around a thing whose motion does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.inconsistency import attention, mix, opposite

HEIGHT, WIDTH, CLASSES = 32, 48, 3


def constant(x, y):
    return np.broadcast_to(np.array([x, y], np.float32), (HEIGHT, WIDTH, 2)).copy()


def blocks(seed=0):
    """(h, w, C) scores of a few rectangles of one class each."""
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(0, CLASSES, (HEIGHT // 4, WIDTH // 4)), np.ones((4, 4), int))
    return np.eye(CLASSES, dtype=np.float32)[ids]


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (-2, 4), (0.4, -0.4)])
def test_a_motion_that_is_known_both_ways_needs_no_attention(x, y):
    there = constant(x, y)
    marked = attention(blocks(), there, opposite(there), dilation=1, smoothing=1)
    inside = np.s_[6:-6, 6:-6]
    assert marked.shape == (HEIGHT, WIDTH)
    assert marked[inside].max() == 0


def test_labels_that_do_not_come_back_are_marked():
    """A thing moved, and the way back knows nothing of it."""
    scores = np.zeros((HEIGHT, WIDTH, CLASSES), np.float32)
    scores[..., 0] = 1
    scores[10:18, 20:28] = np.eye(CLASSES)[1]
    to_source = constant(0, 0)
    to_source[10:18, 20:28] = (-6, 0)  # it came from the left
    marked = attention(scores, to_source, constant(0, 0), dilation=1, smoothing=1)
    assert set(np.unique(marked)) <= {0, 1}
    assert marked[10:18, 20:26].all()  # 6 cells to the left there is background
    marked[10:18, 20:28] = 0
    assert marked.max() == 0


def test_dilation_and_smoothing_widen_and_soften_it():
    scores = np.zeros((HEIGHT, WIDTH, CLASSES), np.float32)
    scores[..., 0] = 1
    scores[16, 24] = np.eye(CLASSES)[1]
    to_source = constant(0, 0)
    to_source[16, 24] = (-5, 0)
    alone = attention(scores, to_source, constant(0, 0), dilation=1, smoothing=1)
    assert np.argwhere(alone).tolist() == [[16, 24]]
    wide = attention(scores, to_source, constant(0, 0), dilation=5, smoothing=1)
    assert wide[14:19, 22:27].all()
    assert wide.sum() == 25
    soft = attention(scores, to_source, constant(0, 0), dilation=5, smoothing=3)
    assert soft[16, 24] == 1
    assert 0 < soft[13, 24] < soft[14, 24] < 1
    assert soft.sum() == pytest.approx(25)
    assert soft[11, 24] == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_mixture_keeps_sums_and_lies_between(seed):
    rng = np.random.default_rng(seed)
    refined, carried = rng.dirichlet(np.ones(CLASSES), (2, 5, 7)).astype(np.float32)
    weight = rng.random((5, 7), np.float32)
    mixed = mix(weight, refined, carried)
    np.testing.assert_allclose(mixed.sum(2), 1, atol=1e-6)
    assert (mixed >= np.minimum(refined, carried) - 1e-6).all()
    assert (mixed <= np.maximum(refined, carried) + 1e-6).all()
    np.testing.assert_array_equal(mix(np.zeros((5, 7), np.float32), refined, carried), carried)
    np.testing.assert_allclose(mix(np.ones((5, 7), np.float32), refined, carried), refined, atol=1e-6)
