"""Figures as tables: a case a row, a quantity a column; for terminals and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from vss_ray.cluster.benchmark import machine, parts
from vss_ray.cluster.benchmark.document import Document, Entry
from vss_ray.cluster.benchmark.figures import Figure


def grid(figures: Sequence[Figure]) -> tuple[list[str], list[tuple[str, list[Figure | None]]]]:
    """Names of columns, and rows with a figure or nothing in each of them; the fullest row gives the order."""
    rows: dict[str, list[str]] = {}
    for figure in figures:
        rows.setdefault(figure.case, []).append(figure.column)
    columns = list(dict.fromkeys(column for row in sorted(rows.values(), key=len, reverse=True) for column in row))
    found = {(figure.case, figure.column): figure for figure in figures}
    return columns, [(case, [found.get((case, column)) for column in columns]) for case in rows]


def blocks(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Figures in tables without empty columns: cases that have at least one quantity in common stand together."""
    found: list[list[Figure]] = []
    for case in dict.fromkeys(figure.case for figure in figures):
        own = [figure for figure in figures if figure.case == case]
        columns = {figure.column for figure in own}
        alike = [block for block in found if columns & {figure.column for figure in block}]
        if alike:
            alike[0].extend(own)
        else:
            found.append(own)
    return found


def terminal(name: str, entry: Entry) -> RenderableType:
    """One part as people read it."""
    smoke = " · smoke run, not to be quoted" if entry.smoke else ""
    title = f"{parts.load(name).TITLE} · {machine.line(entry.machine)} · {entry.machine['date']}{smoke}"
    tables: list[RenderableType] = [Text(title, style="bold")]
    for block in blocks(entry.result.figures):
        names, rows = grid(block)
        table = Table("", *(escape(each) for each in names))
        for case, figures in rows:
            table.add_row(escape(case), *(_cell(figure) for figure in figures))
        tables.append(table)
    tables += [Text(note, style="dim") for note in entry.result.notes]
    return Group(*tables)


def markdown(figures: Sequence[Figure]) -> str:
    """One or more tables; goals that are reached are bold."""
    lines = []
    for block in blocks(figures):
        names, rows = grid(block)
        lines += ["", f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
        lines += [f"| {case} | {' | '.join(_marked(figure) for figure in cells)} |" for case, cells in rows]
    return "\n".join(lines[1:])


def goals(document: Document) -> list[tuple[str, Figure]]:
    """Every figure that has a goal, with the title of its part."""
    return [
        (parts.load(name).TITLE, figure)
        for name, entry in document.entries.items()
        for figure in entry.result.figures
        if figure.goal is not None
    ]


def goal_table(document: Document) -> Table:
    """All goals of a document: reached or missed."""
    table = Table("goal", "wanted", "measured", "", title="goals")
    for title, figure in goals(document):
        mark = "[green]reached[/]" if figure.met else "[red]missed[/]"
        table.add_row(escape(f"{title}: {figure.case}: {figure.name}"), figure.wanted, figure.text, mark)
    return table


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.met is None:
        return figure.cell
    return f"[green]{figure.cell}[/]" if figure.met else f"[red]{figure.cell}[/]"


def _marked(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"**{figure.cell}**" if figure.met else figure.cell
