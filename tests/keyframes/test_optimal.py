"""Placed keyframes against all placements there are."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vss_ray.frames import Planes
from vss_ray.keyframes import optimal
from vss_ray.signals import Signals

risks = st.lists(st.integers(0, 40), min_size=0, max_size=9).map(lambda steps: [0, *steps])


def signals(risk) -> Signals:
    """Flat pictures whose gray levels go up and down by the risk of each step; nothing moves."""
    levels, sign = [0], 1
    for step in risk[1:]:
        sign = 1 if levels[-1] + step <= 255 else -1
        levels.append(levels[-1] + sign * step)
    chroma: Any = np.full((4, 4), 128, np.uint8)
    planes = [Planes(np.full((8, 8), level, np.uint8), chroma, chroma) for level in levels]
    made = Signals(planes, np.arange(len(planes)) / 25, lambda here, there: np.zeros((*here.shape, 2), np.float32))
    np.testing.assert_array_equal(made.risk, risk)
    return made


def choose(steps, **options):
    return optimal.build(optimal.Config(**options)).choose(signals(steps))


def between(risk, a, b):
    """The definition: every picture risks the root of the way from the nearer keyframe."""
    return sum(math.sqrt(min(sum(risk[a + 1 : t + 1]), sum(risk[t + 1 : b + 1]))) for t in range(a + 1, b))


def cost(risk, keyframes):
    return sum(between(risk, a, b) for a, b in pairwise(keyframes))


def cheapest(risk, num_intervals, at_most):
    """The least cost of all placements; None where none respects ``at_most``."""
    last = len(risk) - 1
    found = [
        cost(risk, (0, *inner, last))
        for inner in combinations(range(1, last), num_intervals - 1)
        if max(np.diff((0, *inner, last))) <= at_most
    ]
    return min(found, default=None)


@settings(max_examples=60, deadline=None)
@given(risks)
def test_costs_are_those_of_the_definition(risk):
    n = len(risk)
    costs = optimal.interval_costs(np.array(risk, float))
    wanted = [[between(risk, a, b) if a < b else 0 for b in range(n)] for a in range(n)]
    np.testing.assert_allclose(costs, wanted, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=12))
def test_costs_of_any_risk(risk):
    risk[0] = 0.0
    n = len(risk)
    wanted = [[between(risk, a, b) if a < b else 0 for b in range(n)] for a in range(n)]
    np.testing.assert_allclose(optimal.interval_costs(np.array(risk)), wanted, rtol=1e-6, atol=1e-3)


@settings(max_examples=100, deadline=None)
@given(risk=risks, every=st.floats(1, 12), at_most=st.integers(1, 10))
@example(risk=[0] * 10, every=12.0, at_most=3)
def test_a_budget_is_spent_best(risk, every, at_most):
    chosen = choose(risk, every=every, at_most=at_most)
    last = len(risk) - 1
    assert (chosen[0], chosen[-1]) == (0, last)
    if last < 2:
        return
    intervals = max(round(last / every), 1)
    while cheapest(risk, intervals, at_most) is None:  # the distance limit needs more than the budget
        intervals += 1
    assert len(chosen) == intervals + 1
    assert max(np.diff(chosen)) <= at_most
    assert cost(risk, chosen) == pytest.approx(cheapest(risk, intervals, at_most), abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(risk=risks, target=st.floats(0.01, 30), at_most=st.integers(1, 10))
def test_a_target_is_met_with_the_fewest(risk, target, at_most):
    chosen = choose(risk, risk=target, at_most=at_most)
    n = len(risk)
    if n < 3:
        assert chosen == list(range(n))
        return
    assert max(np.diff(chosen)) <= at_most
    assert cost(risk, chosen) <= target * n + 1e-6
    intervals = len(chosen) - 1
    assert cost(risk, chosen) == pytest.approx(cheapest(risk, intervals, at_most), abs=1e-6)
    for fewer in range(1, intervals):
        least = cheapest(risk, fewer, at_most)
        assert least is None or least > target * n - 1e-6


@pytest.mark.parametrize(("at_most", "wanted"), [(120, [0, 29]), (10, 4), (1, 30)])
def test_still_pictures_need_the_fewest(at_most, wanted):
    chosen = choose([0] * 30, risk=0.5, at_most=at_most)
    assert chosen == wanted if isinstance(wanted, list) else len(chosen) == wanted


def test_keyframes_stand_where_it_changes():
    """A calm start, then unrest: the budget goes to the unrest."""
    chosen = choose([0] * 20 + [10] * 10, every=5)
    assert len(chosen) == 7
    assert sum(keyframe >= 19 for keyframe in chosen) >= 6


def test_a_picture_that_differs_from_both_neighbors_is_not_hidden():
    assert 10 in choose([0] * 10 + [80, 80] + [0] * 9, every=10)


def test_a_budget_larger_than_the_run_takes_all():
    assert choose([0, *[1] * 5], every=0.1) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "options", [{}, {"every": 5, "risk": 1.0}, {"every": 0}, {"every": -1.0}, {"risk": 0.0}, {"every": 5, "at_most": 0}]
)
def test_refusals(options):
    with pytest.raises(ValueError, match=r"every or risk|positive"):
        optimal.Config(**options)
