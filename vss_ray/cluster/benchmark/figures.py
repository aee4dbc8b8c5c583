"""What a benchmark says: figures with all their repeats, so that whoever compares them knows the noise."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

RATIO, SHARE = "x", "share"
"""Units that say something without the machine: so many times another figure of the same run, and part of a whole."""
COUNT = ""
"""So many."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One quantity of one case, measured once or more."""

    case: str
    """What was measured: archive, network, variant; a row of the table."""
    name: str
    """Which quantity; a column of the table."""
    unit: str
    values: tuple[float, ...]
    """One per repeat, in order."""
    better: Literal["more", "less"] = "more"
    goal: float | None = None
    """What ``median`` should reach, or stay under."""

    @property
    def median(self) -> float:
        """Of the repeats."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the goal is; None where there is none."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.better == "more" else self.median <= self.goal

    @property
    def column(self) -> str:
        """The name with its unit, if that does not stand in the cell."""
        return self.name if self.unit in (RATIO, SHARE, COUNT) else f"{self.name}, {self.unit}"

    @property
    def cell(self) -> str:
        """The median, and half the spread of the repeats where there are several; below ``column``."""
        if self.unit == COUNT:
            return f"{self.median:,.0f}"
        scale, sign = (100, " %") if self.unit == SHARE else (1, " x" if self.unit == RATIO else "")
        digits = _digits(scale * self.median)
        half = f"{scale * (max(self.values) - min(self.values)) / 2:.{digits}f}"
        spread = f" ± {half}" if float(half) else ""
        return f"{scale * self.median:,.{digits}f}{spread}{sign}"

    @property
    def text(self) -> str:
        """``cell`` with its unit."""
        return self.cell if self.unit in (RATIO, SHARE, COUNT) else f"{self.cell} {self.unit}"

    @property
    def wanted(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return ""
        return f"{'at least' if self.better == 'more' else 'at most'} {_quantity(self.goal, self.unit)}"


@dataclass(frozen=True)
class Result:
    """What one part of the benchmark found."""

    figures: list[Figure]
    notes: list[str] = field(default_factory=list)
    """Sentences: what was run on what, where the time is, what limits it."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the inverse of ``from_dict``."""
        return {"notes": self.notes, "figures": [asdict(figure) for figure in self.figures]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Result:
        """A stored result; keys that a later version added are left out."""
        known = Figure.__dataclass_fields__
        rows = [{k: v for k, v in row.items() if k in known} for row in content["figures"]]
        return cls([Figure(**{**row, "values": tuple(row["values"])}) for row in rows], list(content["notes"]))


def ratios(over: Iterable[float], under: Iterable[float]) -> tuple[float, ...]:
    """Round by round: what ran side by side is compared, not medians of different minutes."""
    return tuple(a / b for a, b in zip(over, under, strict=True))


def length(seconds: float) -> str:
    """Of a video, in seconds or minutes."""
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def _quantity(value: float, unit: str) -> str:
    return f"{100 * value:g} %" if unit == SHARE else f"{value:g} {unit}"


def _digits(value: float) -> int:
    """After the point: three in all, or all in front of it."""
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
