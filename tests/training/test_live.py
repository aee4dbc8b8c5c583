"""A training on a terminal: a table that grows."""

from __future__ import annotations

import io
import logging

from rich.console import Console

from vss_ray.training.live import SHOWN, Display


def row(epoch: int):
    return {"epoch": epoch, "loss": 2.5 / epoch, "lovasz": 0.5, "learning_rate": 1e-3, "seconds": 3.0}


def shown(epochs: int, *, terminal: bool, done: int = 0) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    with Display(epochs, 2, done=done, console=console) as display:
        for epoch in range(done + 1, epochs + 1):
            display.step(1.0)
            display.step(0.25)
            display.epoch(row(epoch))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_sees_a_table_and_how_far_it_is(caplog):
    with caplog.at_level(logging.INFO):
        text = shown(3, terminal=True)
    assert "lovasz" in text
    assert "learning_rate" in text
    assert "0.8333" in text
    assert "6/6" in text
    assert not caplog.records


def test_the_table_keeps_the_last_epochs():
    last = shown(SHOWN + 5, terminal=True).rsplit("learning_rate", 1)[1]
    assert len([line for line in last.splitlines() if "0.5" in line]) <= SHOWN + 1


def test_what_was_done_before_counts():
    assert "8/8" in shown(4, terminal=True, done=3)


def test_elsewhere_it_is_a_log(caplog):
    with caplog.at_level(logging.INFO):
        text = shown(2, terminal=False)
    assert text == ""
    assert [record.getMessage() for record in caplog.records] == [
        "epoch 1 of 2: loss 2.5000, lovasz 0.5000, learning_rate 0.0010, 3.0 s",
        "epoch 2 of 2: loss 1.2500, lovasz 0.5000, learning_rate 0.0010, 3.0 s",
    ]
