"""Vectors do what numpy does, whatever their length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba import njit

from vss_ray.ops import vectors

LOADS: Any = {16: (vectors.load, vectors.splat), 8: (vectors.load8, vectors.splat8), 4: (vectors.load4, vectors.splat4)}


@pytest.fixture(scope="module", params=LOADS)
def lanes(request):
    return request.param


def applied(operation: Any, lanes: int, arrays: Any) -> Any:
    """``operation`` of vectors that begin at element 3 of every array."""
    load, store = LOADS[lanes][0], vectors.store
    kernels: Any = {
        1: lambda a, result: store(result, 1, operation(load(a, 3))),
        2: lambda a, b, result: store(result, 1, operation(load(a, 3), load(b, 3))),
        3: lambda a, b, c, result: store(result, 1, operation(load(a, 3), load(b, 3), load(c, 3))),
    }
    result = np.full(24, 7, np.float32)
    kernel: Any = njit(kernels[len(arrays)])
    kernel(*arrays, result)
    assert (result[[0, *range(lanes + 1, 24)]] == 7).all()
    return result[1 : lanes + 1]


@pytest.mark.parametrize(
    ("name", "reference", "count"),
    [
        ("add", np.add, 2),
        ("subtract", np.subtract, 2),
        ("multiply", np.multiply, 2),
        ("divide", np.divide, 2),
        ("maximum", np.maximum, 2),
        ("absolute", np.abs, 1),
        ("multiply_add", lambda a, b, c: a * b + c, 3),
        ("exp", np.exp, 1),
    ],
)
def test_lane_by_lane(name, reference, count, lanes):
    arrays = np.random.default_rng(0).normal(0, 3, (count, 24)).astype(np.float32)
    wanted = reference(*arrays[:, 3 : 3 + lanes].astype(np.float64))
    np.testing.assert_allclose(applied(getattr(vectors, name), lanes, arrays), wanted, rtol=1e-6, atol=1e-6)


def test_across_lanes(lanes):
    load, splat = LOADS[lanes]
    total, largest, lane = vectors.total, vectors.largest, vectors.lane

    @njit
    def kernel(a, x):
        vector = load(a, 3)
        return total(vector), largest(vector), lane(vector, 2), total(splat(x))

    numbers = np.random.default_rng(0).normal(0, 3, 24).astype(np.float32)
    these = numbers[3 : 3 + lanes].astype(np.float64)
    found = kernel(numbers, np.float32(0.5))
    np.testing.assert_allclose(found, (these.sum(), these.max(), these[2], lanes / 2), rtol=1e-6)
