"""What was measured, as rows of one table; a row with a bound that it breaks is an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    part: str
    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def holds(self) -> bool:
        """Whether it keeps its bounds; without any it does."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    @property
    def bound(self) -> str:
        """In words."""
        if self.at_most is not None and self.at_most == self.at_least:
            return f"= {self.at_most:,g}"
        low = "" if self.at_least is None else f"≥ {self.at_least:,g}"
        return low if self.at_most is None else f"≤ {self.at_most:,g}"


def exactly(part: str, what: str, value: float, wanted: float) -> Figure:
    """A count that must be this one."""
    return Figure(part, what, value, "", at_most=wanted, at_least=wanted)


def table(figures: Sequence[Figure], title: str) -> Table:
    """All of them, as people read it."""
    result = Table("part", "what", "value", "bound", "", title=title)
    for figure in figures:
        number = f"{figure.value:,.0f}" if figure.value == int(figure.value) else f"{figure.value:,.3g}"
        if figure.value >= 1000:
            number = f"{figure.value:,.0f}"
        verdict = "" if not figure.bound else "ok" if figure.holds else "[bold red]BROKEN[/]"
        result.add_row(figure.part, figure.what, f"{number} {figure.unit}".strip(), figure.bound, verdict)
    return result
