"""What a seed draws."""

from __future__ import annotations

from itertools import pairwise

from tests.chaos.plan import ELSEWHERE, SERVER, VICTIMS, plan


def test_a_round_follows_from_its_seed_and_number():
    assert [plan(3, number) for number in range(20)] == [plan(3, number) for number in range(20)]
    assert [plan(3, number) for number in range(20)] != [plan(4, number) for number in range(20)]


def test_five_rounds_kill_each_of_the_five():
    for seed in range(20):
        struck = {fault.victim for number in range(5) for fault in plan(seed, number).faults}
        assert struck >= {*VICTIMS}


def test_no_round_asks_for_what_is_not_there():
    for drawn in (plan(0, number) for number in range(500)):
        victims = {fault.victim for fault in drawn.faults}
        assert drawn.arrangement == "two nodes" or victims.isdisjoint(ELSEWHERE)
        assert drawn.storage == "s3" or (SERVER not in victims and not drawn.storm)
        assert all(before.share <= after.share for before, after in pairwise(drawn.faults))
