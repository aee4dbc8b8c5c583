"""DCFM's adaptive keyframe scheduling against a transcription of its rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.frames import Planes
from vss_ray.keyframes import aks
from vss_ray.signals import IMAGENET_STD, Signals

UNIT = float(np.mean(1 / IMAGENET_STD))
"""Score of pictures that differ by one gray level."""


def choose(levels, **options):
    chroma: Any = np.full((8, 8), 128, np.uint8)
    planes = [Planes(np.full((16, 16), level, np.uint8), chroma, chroma) for level in levels]
    flow: Any = None  # never asked
    return aks.build(aks.Config(**options)).choose(Signals(planes, np.arange(len(planes)) / 25, flow))


def rule(levels, threshold, at_least, at_most):
    """As its authors wrote it; the last picture always becomes a keyframe."""
    last = len(levels) - 1
    keyframes, previous = [0], 0
    while previous < last:
        following = previous + at_least
        while (
            following < last
            and UNIT * abs(levels[following] - levels[previous]) < threshold
            and following - previous < at_most
        ):
            following += 1
        previous = min(following, last)
        keyframes.append(previous)
    return keyframes


@settings(max_examples=200, deadline=None)
@given(
    levels=st.lists(st.integers(0, 120), min_size=1, max_size=40),
    gray_levels=st.integers(0, 60),
    at_least=st.integers(1, 6),
    more=st.integers(0, 12),
)
def test_the_rule(levels, gray_levels, at_least, more):
    # Half a level off: no score lies on the threshold.
    options = {"threshold": (gray_levels - 0.5) * UNIT, "at_least": at_least, "at_most": at_least + more}
    assert choose(levels, **options) == rule(levels, **options)


def test_calm_and_busy():
    calm, busy = [100] * 20, [100, 160] * 10
    options = {"threshold": 20 * UNIT, "at_least": 2, "at_most": 8}
    assert choose(calm, **options) == [0, 8, 16, 19]
    # Every second picture is the same, so the third is the first to differ.
    assert choose(busy, **options) == [0, 3, 6, 9, 12, 15, 18, 19]


def test_a_unit_is_about_57_gray_levels():
    assert pytest.approx(57.6, abs=0.5) == 1 / UNIT


@pytest.mark.parametrize("options", [{"at_least": 0}, {"at_least": 5, "at_most": 4}])
def test_refusals(options):
    with pytest.raises(ValueError, match=r"at_least.*at_most"):
        aks.Config(**options)
