"""What a seed draws."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tests.chaos.plan import ELSEWHERE, SERVER, VICTIMS, plan
from tests.chaos.table import Total
from tests.chaos.watch import Watch


def test_a_round_follows_from_its_seed_and_number():
    assert [plan(3, number) for number in range(20)] == [plan(3, number) for number in range(20)]
    assert [plan(3, number) for number in range(20)] != [plan(4, number) for number in range(20)]


def test_five_rounds_kill_each_of_the_five():
    for seed in range(20):
        struck = {fault.victim for number in range(5) for fault in plan(seed, number).faults}
        assert struck >= {*VICTIMS}


def test_five_rounds_kill_the_server_too_and_some_read_from_it():
    for seed in range(20):
        hands = [[plan(seed, 5 * hand + place) for place in range(5)] for hand in range(3)]
        for hand in hands:
            assert SERVER in {fault.victim for drawn in hand for fault in drawn.faults}
    drawn = [plan(0, number) for number in range(100)]
    assert {(each.source, each.storage) for each in drawn} == {(a, b) for a in ("disk", "s3") for b in ("disk", "s3")}


def test_no_round_asks_for_what_is_not_there():
    for drawn in (plan(0, number) for number in range(500)):
        victims = {fault.victim for fault in drawn.faults}
        assert drawn.arrangement == "two nodes" or victims.isdisjoint(ELSEWHERE)
        assert drawn.storage == "s3" or (SERVER not in victims and not drawn.storm)
        assert all(before.share <= after.share for before, after in pairwise(drawn.faults))


def test_a_table_without_a_server_that_was_killed_is_not_good(tmp_path):
    total, watch = Total(rounds=5, injected=Counter(VICTIMS)), Watch(scratch=tmp_path, sessions=tmp_path)
    assert total.complaints(watch) == ["no s3 server was killed: nothing is shown"]
    total.injected[SERVER] += 1
    assert total.complaints(watch) == []
