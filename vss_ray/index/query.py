"""A question as a value: what every frame shows, for how long, when, and in which videos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Operator = Literal[">", ">=", "<", "<=", "=", "!="]
Side = Literal["left", "right", "top", "bottom", "middle", "center"]
Sorting = Literal["time", "peak", "duration", "confidence"]

KEYWORDS = frozenset({"and", "or", "not", "for", "gap", "in", "before", "after", "sort", "change", "changes"})
"""What a class name is written in quotes for."""


@dataclass(frozen=True)
class Region:
    """A part of the picture: so much of it on one side, across the whole of the other axis.

    ``middle`` is a strip around the vertical center line; ``center`` is a box around the center point with that share
    of both sides.
    """

    side: Side
    size: float
    """Share of the picture's width or height, more than 0, at most 1."""

    @property
    def columns(self) -> tuple[float, float]:
        """From where to where in the width, 0 to 1."""
        return _stretch({"left": "low", "right": "high", "middle": "mid", "center": "mid"}.get(self.side), self.size)

    @property
    def rows(self) -> tuple[float, float]:
        """From where to where in the height, 0 at the top."""
        return _stretch({"top": "low", "bottom": "high", "center": "mid"}.get(self.side), self.size)

    @property
    def share(self) -> float:
        """Of the whole picture."""
        return self.size**2 if self.side == "center" else self.size


@dataclass(frozen=True)
class Comparison:
    """The share of the WHOLE picture that some classes cover together, everywhere or in a region, against a number."""

    classes: tuple[str, ...]
    """Names as the taxonomy spells them, each once."""
    operator: Operator = ">"
    share: float = 0.0
    """0 to 1."""
    region: Region | None = None


@dataclass(frozen=True)
class Count:
    """How many connected objects there are of some classes, against a number."""

    classes: tuple[str, ...]
    operator: Operator = ">="
    number: int = 1


@dataclass(frozen=True)
class Change:
    """By how much the share of some classes differs from what it was a second earlier, up or down, against a number."""

    classes: tuple[str, ...]
    operator: Operator
    share: float


@dataclass(frozen=True)
class Event:
    """The first frame that satisfies a comparison after a second that did not, or the last one before such a second."""

    part: Comparison
    kind: Literal["enters", "leaves"]


@dataclass(frozen=True)
class Track:
    """An object that was followed is seen, with its center of mass in a region if there is one."""

    number: int
    """Of the object in its video."""
    region: Region | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """None: it is asked for by its number."""
        return ()


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Condition


@dataclass(frozen=True)
class And:
    """All of two or more."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """Any of two or more."""

    parts: tuple[Condition, ...]


Term = Comparison | Count | Change | Event | Track
Condition = Term | Not | And | Or


@dataclass(frozen=True)
class Query:
    """What ``vss search`` is asked."""

    condition: Condition
    """What every frame of a span satisfies."""
    min_seconds: float = 0.0
    """Shorter spans are left out."""
    gap_seconds: float = 0.0
    """The longest hole inside a span."""
    video: str | None = None
    """Glob on the id or the file name of the video."""
    after: float | None = None
    """Only frames that begin at this time of their video, seconds, or later."""
    before: float | None = None
    """Only frames that begin earlier than this."""
    sort: Sorting = "time"
    """``time``: by video, then start."""
    descending: bool = False


def terms(condition: Condition, negated: bool = False) -> Iterator[tuple[Term, bool]]:
    """All terms from left to right, and whether an odd number of ``not`` stands before each."""
    match condition:
        case Not(part):
            yield from terms(part, not negated)
        case And(parts) | Or(parts):
            for part in parts:
                yield from terms(part, negated)
        case _:
            yield condition, negated


def compared(term: Term) -> Comparison | Count | Change | Track:
    """The term itself, or what the event is about."""
    return term.part if isinstance(term, Event) else term


def mentioned(condition: Condition) -> tuple[str, ...]:
    """Every class of the condition, in order of first mention."""
    return tuple(dict.fromkeys(name for term, _ in terms(condition) for name in compared(term).classes))


def wanted(condition: Condition) -> tuple[str, ...]:
    """The classes that the condition asks to see, not to miss: ``person < 2%`` and ``not person`` want none."""
    asks = {
        False: (">", ">=", "="),
        True: ("<", "<=", "!="),
    }

    def is_asked(term: Term, negated: bool) -> bool:
        if isinstance(term, Track):
            return False
        if isinstance(term, Event):  # not to be a first or a last moment says nothing of what is there
            return not negated and term.part.operator in asks[False]
        return term.operator in asks[negated]

    return tuple(
        dict.fromkeys(
            name for term, negated in terms(condition) if is_asked(term, negated) for name in compared(term).classes
        )
    )


def to_text(query: Query) -> str:
    """The query in its own language; ``parse`` reads it back to an equal value."""
    words = [_condition(query.condition)]
    if query.min_seconds:
        words.append(f"for {_number(query.min_seconds)}s")
    if query.gap_seconds:
        words.append(f"gap {_number(query.gap_seconds)}s")
    if query.after is not None:
        words.append(f"after {_number(query.after)}s")
    if query.before is not None:
        words.append(f"before {_number(query.before)}s")
    if query.video is not None:
        words.append(f"in {_quoted(query.video)}")
    if (query.sort, query.descending) != ("time", False):
        words.append(f"sort by {query.sort} {'desc' if query.descending else 'asc'}")
    return " ".join(words)


def _condition(condition: Condition) -> str:
    match condition:
        case Comparison(classes, operator, share, region):
            text = _sum(classes)
            text += "" if (operator, share) == (">", 0.0) else f" {operator} {_number(share, percent=True)}%"
            return text if region is None else f"{text} in {_region(region)}"
        case Count(classes, operator, number):
            return f"count({_sum(classes)}) {operator} {number}"
        case Change(classes, operator, share):
            return f"changes in {_sum(classes)} {operator} {_number(share, percent=True)}%"
        case Event(part, kind):
            return f"{_condition(part)} {kind}"
        case Track(number, region):
            return f"track {number}" if region is None else f"track {number} in {_region(region)}"
        case Not(part):
            return f"not {_operand(part)}"
        case And(parts):
            return " and ".join(_operand(part) for part in parts)
        case Or(parts):
            return " or ".join(_operand(part) for part in parts)


def _operand(condition: Condition) -> str:
    text = _condition(condition)
    return f"({text})" if isinstance(condition, And | Or) else text


def _sum(classes: tuple[str, ...]) -> str:
    return " + ".join(_name(name) for name in classes)


def _region(region: Region) -> str:
    size = "third" if region.size == 1 / 3 else f"{_number(region.size, percent=True)}%"
    return f"{region.side} {'half' if size == '50%' else size}"


def _name(name: str) -> str:
    is_bare = re.fullmatch(r"[^\W\d][\w-]*", name) and name.lower() not in KEYWORDS
    return name if is_bare else _quoted(name)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _number(value: float, percent: bool = False) -> str:
    """Decimal and never in scientific notation, so that no digit of a share is lost on the way to percent and back."""
    number = Decimal(repr(value)) * (100 if percent else 1)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _stretch(place: str | None, size: float) -> tuple[float, float]:
    if place is None:
        return 0.0, 1.0
    return {"low": (0.0, size), "mid": ((1 - size) / 2, (1 + size) / 2), "high": (1 - size, 1.0)}[place]
