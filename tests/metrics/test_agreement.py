"""Agreement of carried labels: counts that add, and an interval over pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss_ray.metrics.agreement import AuditCounts, interval

# Student's t at 97.5 %, from printed tables.
TABLE = {4: 3.182, 5: 2.776, 6: 2.571, 10: 2.262, 20: 2.093, 31: 2.042, 121: 1.980, 100_001: 1.960}


def picture(distance: int, pixels: list[int], agreeing: list[int], repeated: list[int]) -> dict[str, Any]:
    return {"frame": 0, "distance": distance, "pixels": pixels, "agreeing": agreeing, "repeated": repeated}


PICTURES = [
    picture(1, [60, 40, 0], [54, 36, 0], [60, 38, 0]),
    picture(3, [50, 50, 0], [40, 40, 0], [45, 45, 0]),
    picture(1, [100, 0, 0], [80, 0, 0], [90, 0, 0]),
]


@pytest.mark.parametrize(("n", "t"), TABLE.items())
def test_half_widths_are_students(n, t):
    shares = np.linspace(0.8, 1.0, n)
    result = interval(shares.tolist())
    assert result["mean"] == pytest.approx(0.9)
    assert result["half_width"] == pytest.approx(t * shares.std(ddof=1) / math.sqrt(n), rel=0.01 if n < 10 else 0.001)


def test_one_picture_says_nothing_of_the_spread():
    assert interval([0.75]) == {"mean": 0.75, "half_width": None}


def test_equal_pictures_leave_no_doubt():
    assert interval([0.5] * 7) == {"mean": 0.5, "half_width": 0.0}


def test_counts():
    counts = AuditCounts()
    counts.add(PICTURES[:1])
    counts.add(PICTURES[1:])
    content = counts.to_dict()
    assert content["pictures"] == 3
    assert content["agreement"]["mean"] == pytest.approx((0.9 + 0.8 + 0.8) / 3)
    assert content["self_agreement"]["mean"] == pytest.approx((0.98 + 0.9 + 0.9) / 3)
    assert content["by_distance"] == {"1": pytest.approx(170 / 200), "3": pytest.approx(80 / 100)}
    assert content["by_class"] == [pytest.approx(174 / 210), pytest.approx(76 / 90), None]
    assert content["self_by_class"] == [pytest.approx(195 / 210), pytest.approx(83 / 90), None]
    agreement, ceiling = counts.per_class()
    np.testing.assert_allclose(agreement, [174 / 210, 76 / 90, np.nan])
    np.testing.assert_allclose(ceiling, [195 / 210, 83 / 90, np.nan])


@given(st.permutations(PICTURES), st.integers(0, 3))
def test_neither_order_nor_clips_matter(pictures, cut):
    in_order, cut_up = AuditCounts(), AuditCounts()
    in_order.add(PICTURES)
    cut_up.add(pictures[:cut])
    cut_up.add(pictures[cut:])
    one, two = in_order.to_dict(), cut_up.to_dict()
    assert two["agreement"] == pytest.approx(one["agreement"])
    assert {key: two[key] for key in ("by_distance", "by_class", "self_by_class")} == {
        key: one[key] for key in ("by_distance", "by_class", "self_by_class")
    }
    assert list(two["by_distance"]) == ["1", "3"]


def test_distances_are_in_order_of_number():
    counts = AuditCounts()
    counts.add(picture(distance, [10], [9], [9]) for distance in (10, 2, 1))
    assert list(counts.to_dict()["by_distance"]) == ["1", "2", "10"]


def test_nothing_audited():
    counts = AuditCounts()
    counts.add([])
    assert counts.to_dict() == {}


@given(st.permutations(PICTURES), st.integers(0, 3))
def test_counts_of_workers_merge(pictures, cut):
    whole, first, second = AuditCounts(), AuditCounts(), AuditCounts()
    whole.add(pictures)
    first.add(pictures[:cut])
    second.add(pictures[cut:])
    first.merge(second)
    assert first.to_dict() == whole.to_dict()
