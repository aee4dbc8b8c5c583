"""Pixels per cell and class are numpy's counts over slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.grid import cell_shares, count_cells


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    num_classes=st.integers(1, 300),
    is_wide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_equals_counts_of_slices(height, width, num_classes, is_wide, seed):
    rng = np.random.default_rng(seed)
    void = 65535 if is_wide else 255
    ids: Any = rng.integers(0, min(num_classes + 3, void), (height, width)).astype(np.uint16 if is_wide else np.uint8)
    ids[rng.random((height, width)) < 0.1] = void
    counts = count_cells(ids, num_classes)
    shares = cell_shares(counts, height, width)
    assert (counts.dtype, shares.dtype) == (np.int64, np.uint8)
    for row in range(3):
        for column in range(3):
            cell = ids[height * row // 3 : height * (row + 1) // 3, width * column // 3 : width * (column + 1) // 3]
            wanted = np.array([(cell == i).sum() for i in range(num_classes)])
            np.testing.assert_array_equal(counts[row * 3 + column], wanted)
            exact = wanted / max(1, cell.size) * 255
            np.testing.assert_array_less(np.abs(shares[row * 3 + column] - exact - 0.5), 0.5 + 1e-6)
            np.testing.assert_array_equal(shares[row * 3 + column] == 0, wanted == 0)
    np.testing.assert_array_equal(counts.sum(0), np.bincount(ids.ravel(), minlength=num_classes)[:num_classes])


def test_a_full_cell_is_255():
    ids = np.zeros((720, 1280), np.uint8)
    ids[240:480, 426:853] = 1
    shares = cell_shares(count_cells(ids, 2), 720, 1280)
    assert shares[:, 1].tolist() == [0, 0, 0, 0, 255, 0, 0, 0, 0]
    ids[0, 0] = 1
    assert cell_shares(count_cells(ids, 2), 720, 1280)[0].tolist() == [255, 1]
