"""Keyframes are chosen run by run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vss_ray.frames import Planes
from vss_ray.intervals import choose_keyframes
from vss_ray.keyframes import fixed
from vss_ray.scan import Scan

RUNS = [range(5), range(5, 6), range(6, 10), range(10, 12)]


def scanned() -> Scan:
    planes = [Planes(*(np.full((4, 4), i, np.uint8) for _ in range(3))) for i in range(12)]
    every = np.arange(12)
    return Scan(every / 10, every.astype(np.int32), planes, every / 10, RUNS, {})


def flow(*_: Any) -> Any:
    raise AssertionError("nobody asks for motion")


@pytest.mark.parametrize(
    ("closed", "wanted"),
    [(False, [[0, 3], [5], [6, 9], [10]]), (True, [[0, 3, 4], [5], [6, 9], [10, 11]])],
)
def test_every_run_begins_with_a_keyframe_and_may_end_with_one(closed, wanted):
    assert choose_keyframes(scanned(), fixed.build(fixed.Config(every=3)), flow, closed=closed) == wanted


def test_a_schedule_sees_one_run_at_a_time():
    seen = []

    class Watching:
        def may_choose(self, index, seconds, previous_seconds):
            return True

        def choose(self, signals):
            assert signals.flow is flow
            seen.append(([int(each.y[0, 0]) for each in signals.planes], signals.seconds.tolist()))
            return [0]

    assert choose_keyframes(scanned(), Watching(), flow, closed=False) == [[0], [5], [6], [10]]
    assert [pictures for pictures, _ in seen] == [list(run) for run in RUNS]
    assert seen[2][1] == [0.6, 0.7, 0.8, 0.9]
