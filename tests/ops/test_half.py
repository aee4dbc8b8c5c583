"""Every number of 16 bits there is, as numpy widens it."""

from __future__ import annotations

import numpy as np

from vss_ray.ops.half import widened


def test_equals_numpy_bit_by_bit():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(8, 32, 256)
    wide = widened(halves)
    assert (wide.shape, wide.dtype) == (halves.shape, np.float32)
    np.testing.assert_array_equal(wide.view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_halves_may_lie_anywhere_in_memory():
    halves = np.random.default_rng(0).normal(size=(6, 7, 5)).astype(np.float16)
    for view in (halves[::2, ::-1, 1:4], halves.T, halves[:0]):
        np.testing.assert_array_equal(widened(view), view.astype(np.float32))
