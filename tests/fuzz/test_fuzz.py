"""Every reader, a second or so of broken input each; ``make fuzz`` gives it minutes."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.contract import Target, violation
from tests.fuzz.mutations import KINDS, PIECES, Edit, edited
from tests.fuzz.targets import TARGETS

BUDGET = 0.6
"""Seconds. The same inputs in the same order everywhere; how many of them depends on the machine."""


@pytest.mark.parametrize("name", TARGETS)
def test_a_value_or_a_refusal(name):
    target, stop = TARGETS[name], time.monotonic() + BUDGET

    @settings(derandomize=True, max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(target.seeds())), st.lists(edits(target), max_size=6))
    def read(seed: bytes, changes: list[Edit]) -> None:
        if time.monotonic() < stop:
            assert violation(target, edited(seed, changes)) is None

    read()


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_whole_is_read(name):
    for seed in TARGETS[name].seeds():
        TARGETS[name].read(seed)


def edits(target: Target) -> st.SearchStrategy[Edit]:
    pieces = st.sampled_from([*PIECES, *target.words]) | st.binary(min_size=1, max_size=4)
    return st.builds(Edit, st.sampled_from(KINDS), st.integers(0, 2**16), st.integers(1, 32), pieces)
