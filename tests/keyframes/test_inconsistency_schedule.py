"""A keyframe is due when motion has lost enough of the picture since the last one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.frames import Planes
from vss_ray.keyframes import inconsistency
from vss_ray.signals import Signals


def signals(lost) -> Signals:
    """Pictures of which a share is lost from each to the next, as a flow that misses its way back there says."""
    height, width = 32, 40
    chroma: Any = np.full((height // 2, width // 2), 128, np.uint8)
    # Brightness numbers the pictures.
    planes = [Planes(np.full((height, width), i, np.uint8), chroma, chroma) for i in range(len(lost))]

    def flow(here, there, initial=None):
        field = np.zeros((*here.shape, 2), np.float32)
        if here[0, 0] > there[0, 0]:  # back; the way onward is zero
            field[: round(len(field) * lost[here[0, 0]])] = 3
        return field

    return Signals(planes, np.arange(len(planes)) / 10, flow)


def choose(lost, **options) -> list[int]:
    return inconsistency.build(inconsistency.Config(**options)).choose(signals(lost))


def test_the_share_that_is_lost_is_measured():
    np.testing.assert_allclose(signals([0, 0.25, 0.5, 0]).inconsistent, [0, 0.25, 0.5, 0])
    assert signals([0, 0.25]).risk[1] == pytest.approx(25 + 1)  # and a gray level that motion does not explain


def test_calm_and_busy():
    calm = [0.0] * 12
    busy = [0.0] + [0.5] * 11
    options = {"area": 1.0, "at_least": 1, "at_most": 8}
    assert choose(calm, **options) == [0, 8]
    assert choose(busy, **options) == [0, 2, 4, 6, 8, 10]
    assert choose(calm[:6] + busy[1:7], **options) == [0, 7, 9, 11]
    assert choose(busy, area=0.25, at_least=3, at_most=8) == [0, 3, 6, 9]


@settings(deadline=None, max_examples=50)
@given(
    lost=st.lists(st.integers(0, 16).map(lambda n: n / 16), min_size=1, max_size=24),
    area=st.floats(0.1, 3),
    at_least=st.integers(1, 5),
    more=st.integers(0, 9),
)
def test_distances_and_areas_keep_their_bounds(lost, area, at_least, more):
    keyframes = choose(lost, area=area, at_least=at_least, at_most=at_least + more)
    assert keyframes[0] == 0
    for first, last in pairwise([*keyframes, len(lost)]):
        assert last - first <= at_least + more
        for earlier in range(first + at_least, last):  # none was due before
            assert sum(lost[first + 1 : earlier + 1]) < area + 1e-6
        if last < len(lost):
            assert last - first >= at_least
            assert last - first == at_least + more or sum(lost[first + 1 : last + 1]) > area - 1e-6


@pytest.mark.parametrize("options", [{"at_least": 0}, {"at_least": 5, "at_most": 4}, {"area": 0.0}])
def test_refusals(options):
    with pytest.raises(ValueError, match=r"at_least.*at_most.*area"):
        inconsistency.Config(**options)


def test_any_picture_may_turn_out_to_be_one():
    assert inconsistency.build(inconsistency.Config()).may_choose(7, 0.7, 0.6)
