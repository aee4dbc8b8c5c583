"""Every order of steps of two commands and a dead owner: what the lease promises, and what it does not."""

from __future__ import annotations

import pytest

from tests.storage.lease_model import DEAD, FREE, State, believers, reachable

START = pytest.mark.parametrize("lock", [FREE, DEAD], ids=["free", "a dead owner"])


@START
@pytest.mark.parametrize("may_die", [False, True])
def test_never_two_where_nobody_stands_still(lock, may_die):
    states = reachable(lock, 2, may_stand=False, may_die=may_die)
    assert len(states) > 40
    assert max(len(believers(state)) for state in states) == 1


@START
def test_never_two_of_three(lock):
    states = reachable(lock, 3, may_stand=False, may_die=False)
    assert max(len(believers(state)) for state in states) == 1


@START
def test_who_stood_still_may_be_displaced_and_writes_no_tables_then(lock):
    states = reachable(lock, 2, may_stand=True, may_die=True)
    assert max(len(believers(state)) for state in states) == 2  # which is why commits need no lease
    for state, after in states.items():
        for then in after:
            if len(then.tables) > len(state.tables):
                continue
            for me, command in enumerate(then.commands):
                # Whoever passes the check has the lock, or nobody does, at that very step.
                if command.at == "checked" and state.commands[me].at == "in":
                    assert state.lock in (me, FREE)
                if command.noticed:
                    assert command.at != "checked"


def test_deleted_instead_of_written_over_a_third_one_could_slip_in():
    states = reachable(DEAD, 3, may_stand=False, may_die=False, deletes=True)
    assert max(len(believers(state)) for state in states) == 2


def test_without_the_second_of_settling_two_could_be_in():
    states = reachable(DEAD, 2, may_stand=False, may_die=False, timely=False)
    assert max(len(believers(state)) for state in states) == 2


@START
@pytest.mark.parametrize("may_stand", [False, True])
def test_nobody_is_kept_out_for_ever(lock, may_stand):
    """From every state some order of steps leads to the end, and a dead owner never refuses anybody."""
    states = reachable(lock, 2, may_stand=may_stand, may_die=True)
    ends = {state for state, after in states.items() if not after}
    assert ends
    before: dict[State, list[State]] = {}
    for state, after in states.items():
        for then in after:
            before.setdefault(then, []).append(state)
    alive, waiting = set(ends), list(ends)
    while waiting:
        for each in before.get(waiting.pop(), []):
            if each not in alive:
                alive.add(each)
                waiting.append(each)
    assert alive == set(states)
    for state in ends:
        if lock == DEAD and all(each.at != "dead" for each in state.commands):
            assert state.tables  # somebody did the work
