"""Whatever DuckDB answers, as JSON, as CSV, or as text that a terminal can be shown."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from rich.markup import escape
from rich.text import Text

from vss_ray.printable import printable


def print_objects(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """One JSON document, a list with an object for every row, written as the rows come."""
    print("[", end="")
    for n, row in enumerate(rows):
        values = {name: _plain(value) for name, value in zip(columns, row, strict=True)}
        print(",\n " if n else "\n ", json.dumps(values), sep="", end="")
    print("\n]")


def print_csv(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Comma-separated values under their names, written as the rows come."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    # What a terminal is shown is looked at by people, what goes elsewhere by programs, which want every character.
    shown = printable if sys.stdout.isatty() else str
    writer.writerows([shown(as_cell(value)) for value in row] for row in rows)


def as_cell(value: Any) -> str:
    """A value as one piece of text; nothing for NULL."""
    plain = _plain(value)
    return "" if plain is None else plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def as_text(value: str) -> Text:
    """Text for the terminal that is nothing but text: no markup, no control characters."""
    return Text(printable(value))


def as_markup(value: str) -> str:
    """The same inside of rich's markup."""
    return escape(printable(value))


def _plain(value: Any) -> Any:
    """What JSON knows for what DuckDB knows."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case datetime() | date() | time() | timedelta() | UUID():
            return str(value)
        case _:
            return value
