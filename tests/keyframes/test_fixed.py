"""A keyframe every so many pictures or seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vss_ray.keyframes import fixed
from vss_ray.signals import Signals


def choose(seconds, **options):
    pictures: Any = [None] * len(seconds)  # never looked at
    flow: Any = None
    return fixed.build(fixed.Config(**options)).choose(Signals(pictures, np.asarray(seconds, float), flow))


@given(num_pictures=st.integers(1, 60), every=st.integers(1, 70), start=st.floats(0, 1e4))
def test_every_so_many_pictures(num_pictures, every, start):
    assert choose(start + np.arange(num_pictures) / 25, every=every) == list(range(0, num_pictures, every))


@pytest.mark.parametrize(
    ("rate", "every", "wanted"),
    [
        (25, 0.4, [0, 10, 20, 30]),
        (25, 0.5, [0, 13, 25, 38]),  # what falls between two pictures belongs to the later one
        (30000 / 1001, 1.0, [0, 30]),
        (10, 1.0, [0, 10, 20, 30]),
        (2, 0.1, list(range(40))),  # a picture is never chosen twice
        (25, 60.0, [0]),
    ],
)
@pytest.mark.parametrize("start", [0.0, 12.34, 86400.04])
def test_every_so_many_seconds(rate, every, wanted, start):
    assert choose(start + np.arange(40) / rate, every_seconds=every) == wanted


def test_times_in_whole_milliseconds_do_not_slip():
    for rate in (24, 30, 60, 60000 / 1001):
        seconds = np.round(np.arange(600) / rate, 3)
        gaps = np.diff(choose(seconds, every_seconds=1.0))
        assert set(gaps) <= {round(rate) - 1, round(rate), round(rate) + 1}
        assert len(gaps) == int(seconds[-1] + 1e-4)


@given(
    gaps=st.lists(st.sampled_from([0.01, 0.02, 0.04, 0.1, 0.5, 2.0]), min_size=1, max_size=60),
    every=st.sampled_from([0.05, 0.3, 1.0, 3.0]),
)
def test_variable_frame_rate(gaps, every):
    """The first picture at or after each tick; several ticks between two pictures are one."""
    seconds = np.cumsum([0.0, *gaps])
    ticks = np.arange(0, seconds[-1] + 1e-4, every)
    wanted = sorted(set(np.searchsorted(seconds, ticks - 1e-4).tolist()))
    assert choose(seconds + 5, every_seconds=every) == [i for i in wanted if i < len(seconds)]


@pytest.mark.parametrize(
    "options", [{}, {"every": 3, "every_seconds": 1.0}, {"every": 0}, {"every": -2}, {"every_seconds": 0.0}]
)
def test_refusals(options):
    with pytest.raises(ValueError, match=r"every or every_seconds|must be positive"):
        fixed.Config(**options)
