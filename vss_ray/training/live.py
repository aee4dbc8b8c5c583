"""How a training goes while it goes: a table that grows on a terminal, else one line of the log for every epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

log = logging.getLogger(__name__)

SHOWN = 12
"""Epochs of the table."""


class Display:
    """A context; inside it ``step`` and ``epoch`` tell."""

    def __init__(self, epochs: int, steps_per_epoch: int, *, done: int = 0, console: Console | None = None) -> None:
        """Nothing is shown yet.

        Args:
            epochs: Of the whole training.
            steps_per_epoch: Batches of an epoch.
            done: Epochs that a checkpoint has already.
            console: Where to; stderr where absent.
        """
        console = console or Console(stderr=True)
        self._epochs = epochs
        self._rows: list[Mapping[str, float]] = []
        columns = (TextColumn("loss {task.fields[loss]:.4f}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console)
        total = epochs * steps_per_epoch
        self._task = self._progress.add_task("", total=total, completed=done * steps_per_epoch, loss=float("nan"))
        self._live = Live(console=console, get_renderable=self._render) if console.is_terminal else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def step(self, loss: float) -> None:
        """A batch is through."""
        self._progress.update(self._task, advance=1, loss=loss)

    def epoch(self, row: Mapping[str, float]) -> None:
        """An epoch is through; ``row`` as in ``history.Row``."""
        self._rows.append(row)
        if self._live:
            return
        parts = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds"))
        log.info("epoch %d of %d: %s, %.1f s", row["epoch"], self._epochs, parts, row["seconds"])

    def _render(self) -> Group:
        table = Table(*self._rows[-1], box=None, header_style="bold") if self._rows else ""
        if isinstance(table, Table):
            for row in self._rows[-SHOWN:]:
                table.add_row(*(f"{value:.4g}" for value in row.values()))
        return Group(table, self._progress)
