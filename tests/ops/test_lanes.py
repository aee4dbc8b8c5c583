"""Vectors of which some lanes count, against numpy; what lies past those lanes is neither read nor written."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from vss_ray.ops.lanes import (
    at_least,
    equal,
    larger,
    largest,
    load_some,
    lowest,
    smaller,
    store_some,
    unlike_itself,
    where_greater,
    word,
)
from vss_ray.ops.vectors import LANES


@njit
def compared(a, b, count, small, large, chosen, bits):
    x, y = load_some(a, 0, count, np.float32(-1)), load_some(b, 0, count, np.float32(-1))
    store_some(small, 0, count, smaller(x, y))
    store_some(large, 0, count, larger(x, y))
    store_some(chosen, 0, count, where_greater(x, y, y, x))
    bits[0], bits[1], bits[2] = equal(x, y), at_least(x, y), unlike_itself(x, x)
    return largest(x)


@njit
def first_bit(bits):
    return lowest(bits)


@njit
def word_at(array, index):
    return word(array, index)


@pytest.mark.parametrize("count", [1, 5, LANES])
def test_lanes_agree_with_numpy(count):
    rng = np.random.default_rng(count)
    a, b = rng.integers(0, 4, (2, count)).astype(np.float32)
    small, large = np.full((2, LANES), 9, np.float32)
    chosen, bits = np.full(LANES, 9, np.uint8), np.zeros(3, np.uint64)
    assert compared(a, b, count, small, large, chosen, bits) == a.max()
    for got, wanted in ((small, np.minimum(a, b)), (large, np.maximum(a, b)), (chosen, np.where(a > b, b, a))):
        np.testing.assert_array_equal(got[:count], wanted)
        assert (got[count:] == 9).all()
    flags = (bits[:, None] >> np.arange(LANES, dtype=np.uint64)) & np.uint64(1)
    np.testing.assert_array_equal(flags[:2, :count], [a == b, a >= b])
    assert flags[0, count:].all()
    assert bits[2] == 0


@pytest.mark.parametrize("bad", [0, 3])
def test_nan_is_found(bad):
    a = np.zeros(4, np.float32)
    a[bad] = np.nan
    bits = np.zeros(3, np.uint64)
    compared(a, a, 4, *np.zeros((2, LANES), np.float32), np.zeros(LANES, np.uint8), bits)
    assert bits[2] == 1 << bad


def test_words_and_their_bits():
    array = np.arange(20, dtype=np.uint8)
    assert word_at(array, 3) == int.from_bytes(bytes(range(3, 11)), "little")
    assert word_at(array.view(np.uint16), 1) == int.from_bytes(bytes(range(2, 10)), "little")
    assert [first_bit(np.uint64(1 << i)) for i in range(64)] == list(range(64))
