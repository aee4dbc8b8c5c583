"""Pixels per class are numpy's counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.count import count_classes


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    num_classes=st.integers(1, 400),
    is_wide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_bincount(height, width, num_classes, is_wide, seed):
    dtype, void = (np.uint16, 65535) if is_wide else (np.uint8, 255)
    rng = np.random.default_rng(seed)
    ids: Any = rng.integers(0, min(num_classes + 3, void + 1), (height, width)).astype(dtype)
    ids[rng.random((height, width)) < 0.1] = void
    counts = count_classes(ids, num_classes)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, np.bincount(ids.ravel(), minlength=num_classes)[:num_classes])


@pytest.mark.parametrize(("dtype", "void"), [(np.uint8, 255), (np.uint16, 65535)])
def test_void_is_left_out(dtype, void):
    ids = np.full((4, 5), void, dtype)
    ids[0, 0] = 2
    np.testing.assert_array_equal(count_classes(ids, 4), [0, 0, 1, 0])
