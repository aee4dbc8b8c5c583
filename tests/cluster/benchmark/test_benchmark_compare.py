"""A change counts when the repeats of both sides do not overlap."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from vss_ray.cluster.benchmark import compare


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ((30.0, 31.0, 32.0), (33.0, 34.0, 35.0), "better"),
        ((30.0, 31.0, 32.0), (27.0, 28.0, 29.0), "worse"),
        ((30.0, 31.0, 32.0), (31.5, 34.0, 35.0), "noise"),
        ((30.0, 31.0, 32.0), (20.0,), "one repeat"),
        ((30.0, 31.0, 32.0), (10.0, 31.0, 90.0), "equal"),
    ],
)
def test_verdicts(made, old, new, verdict):
    found = list(compare.changes(made(old), made(new)))
    (change,) = [change for change in found if change.new.name == "over user"]
    assert change.verdict == verdict


def test_what_should_be_less_is_better_when_it_is(made):
    (change,) = [c for c in compare.changes(made(), made()) if c.new.name == "over user"]
    old = replace(change.old, better="less", values=(5.0, 6.0))
    new = replace(change.new, better="less", values=(3.0, 4.0))
    assert compare.Change("sides", old, new, True).verdict == "better"


def test_on_another_machine_only_ratios_and_shares_are_compared(made):
    found = list(compare.changes(made(), made(processor="Another CPU")))
    assert {change.new.unit for change in found} == {"x", "share"}
    out = Console(file=io.StringIO(), width=200)
    out.print(compare.table(found))
    assert "different machines" in out.file.getvalue()


def test_the_table_has_old_new_and_change(made):
    out = Console(file=io.StringIO(), width=200)
    out.print(compare.table(list(compare.changes(made(), made((27.0, 28.0, 29.0))))))
    text = out.file.getvalue()
    assert "32.0 ± 1.0 x" in text
    assert "28.0 ± 1.0 x" in text
    assert "-12.5 %" in text
    assert "1 of 4 figures are worse by more than the noise" in text
