"""Two documents of the benchmark side by side: what changed, and whether by more than the noise.

A change counts when the repeats of both sides do not overlap: the worst of one is better than the best of the other.
With one repeat on a side there is no spread to know the noise from, which is said. Only ratios and shares mean anything
across machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rich.markup import escape
from rich.table import Table

from vss_ray.cluster.benchmark import machine
from vss_ray.cluster.benchmark.document import Document
from vss_ray.cluster.benchmark.figures import RATIO, SHARE, Figure

Verdict = Literal["better", "worse", "noise", "one repeat", "equal"]


@dataclass(frozen=True)
class Change:
    """One figure that both documents have."""

    part: str
    old: Figure
    new: Figure
    same_machine: bool

    @property
    def relative(self) -> float:
        """Of the new median to the old one, less one."""
        return self.new.median / self.old.median - 1 if self.old.median else 0.0

    @property
    def verdict(self) -> Verdict:
        """Whether the change exceeds the spread of the repeats on both sides."""
        old, new = self.old.values, self.new.values
        if self.old.median == self.new.median:
            return "equal"
        if min(len(old), len(new)) < 2:
            return "one repeat"
        if max(min(old), min(new)) <= min(max(old), max(new)):
            return "noise"
        return "better" if (self.new.median > self.old.median) == (self.new.better == "more") else "worse"


def changes(old: Document, new: Document) -> Iterator[Change]:
    """Figures that both have, in the order of the new one; on different machines only ratios and shares."""
    for name, entry in new.entries.items():
        before = old.entries.get(name)
        if before is None:
            continue
        same = machine.line(before.machine) == machine.line(entry.machine)
        known = {(figure.case, figure.name): figure for figure in before.result.figures}
        for figure in entry.result.figures:
            earlier = known.get((figure.case, figure.name))
            if earlier is not None and (same or figure.unit in (RATIO, SHARE)):
                yield Change(name, earlier, figure, same)


def table(found: list[Change]) -> Table:
    """As people read it; what is worse stands out."""
    columns = ("part", "case", "figure", "old", "new", "change", "")
    result = Table(*columns, title="old and new")
    style = {"better": "green", "worse": "bold red", "noise": "dim", "one repeat": "yellow", "equal": "dim"}
    for change in found:
        relative = f"{100 * change.relative:+.1f} %"
        names = (change.part, change.new.case, change.new.column)
        row = (*map(escape, names), change.old.cell, change.new.cell, relative)
        result.add_row(*row, f"[{style[change.verdict]}]{change.verdict}[/]")
    worse = sum(change.verdict == "worse" for change in found)
    result.caption = f"{worse} of {len(found)} figures are worse by more than the noise"
    if any(not change.same_machine for change in found):
        result.caption += "; measured on different machines, so only ratios and shares are compared"
    return result
