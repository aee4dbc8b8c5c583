"""What every schedule promises: the first picture, ascending, nothing twice, nothing that it said it would not take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vss_ray import plugins
from vss_ray.frames import Planes
from vss_ray.signals import Signals

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "fixed": [{"every": 1}, {"every": 4}, {"every_seconds": 0.15}, {"every_seconds": 100.0}],
    "aks": [{}, {"threshold": 0.05, "at_least": 1, "at_most": 5}, {"threshold": 9.0, "at_least": 3, "at_most": 3}],
    "optimal": [
        {"every": 1},
        {"every": 3.5},
        {"every": 1000},
        {"risk": 20.0},
        {"risk": 1e-9},
        {"every": 9, "at_most": 2},
    ],
}
"""Schedules without an entry here are tried with their defaults."""
CASES = [(name, options) for name in plugins.names("keyframes") for options in OPTIONS.get(name, [{}])]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def build(request):
    name, options = request.param
    module = plugins.load("keyframes", name)
    return lambda: module.build(module.Config(**options))


def signals(levels, seconds=None) -> Signals:
    """Pictures of 16x16 pixels around a gray level each, a little texture on them."""
    texture = np.random.default_rng(0).integers(-5, 6, (16, 16))
    gray: Any = [np.clip(texture + level, 0, 255).astype(np.uint8) for level in levels]
    chroma = np.full((8, 8), 128, np.uint8)
    times = np.arange(len(gray)) / 25 if seconds is None else np.asarray(seconds)
    return Signals(
        [Planes(y, chroma, chroma) for y in gray], times, lambda here, there: np.zeros((*here.shape, 2), np.float32)
    )


levels = st.lists(st.integers(0, 255), min_size=1, max_size=30)


@settings(max_examples=30, deadline=None)
@given(levels=levels, start=st.floats(0, 1e5), gaps=st.lists(st.floats(0.001, 3), min_size=30, max_size=30))
@example(levels=[7], start=0.0, gaps=[0.04] * 30)
@example(levels=[7, 7], start=0.0, gaps=[0.04] * 30)
@example(levels=[9] * 30, start=3.2, gaps=[0.04] * 30)
@example(levels=[0, 255] * 15, start=0.0, gaps=[1 / 30] * 30)
def test_a_schedule(build, levels, start, gaps):
    seconds = start + np.cumsum([0.0, *gaps[: len(levels) - 1]])
    given_signals = signals(levels, seconds)
    schedule = build()
    chosen = schedule.choose(given_signals)
    assert chosen[0] == 0
    assert chosen == sorted(set(chosen))
    assert chosen[-1] < len(levels)
    assert all(type(index) is int for index in chosen)
    relative = (seconds - seconds[0]).tolist()
    # The first and the last picture of a run are always kept.
    kept = {i for i in range(len(levels)) if schedule.may_choose(i, relative[i], relative[max(i - 1, 0)])}
    assert set(chosen) <= kept | {0, len(levels) - 1}
    assert schedule.choose(signals(levels, seconds)) == build().choose(given_signals) == chosen


def test_a_run_of_one_picture(build):
    assert build().choose(signals([100])) == [0]
    assert build().may_choose(0, 0.0, 0.0)


def test_runs_do_not_remember_each_other(build):
    schedule, calm, busy = build(), signals([100] * 20), signals(range(0, 200, 10))
    alone = build().choose(calm), build().choose(busy)
    assert (schedule.choose(calm), schedule.choose(busy), schedule.choose(calm)) == (*alone, alone[0])
