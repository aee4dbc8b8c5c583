"""A question as a value: which share of which classes, for how long, in which videos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Operator = Literal[">", ">=", "<", "<=", "=", "!="]

KEYWORDS = frozenset({"and", "or", "not", "for", "gap", "in"})


@dataclass(frozen=True)
class Comparison:
    """The share of the picture that some classes cover together, against a number."""

    classes: tuple[str, ...]
    """Names as the taxonomy spells them, each once."""
    operator: Operator = ">"
    share: float = 0.0
    """0 to 1."""


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


Condition = Comparison | Not | And | Or


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


def comparisons(condition: Condition, negated: bool = False) -> Iterator[tuple[Comparison, bool]]:
    """All comparisons from left to right, and whether an odd number of ``not`` stands before each."""
    match condition:
        case Comparison():
            yield condition, negated
        case Not(part):
            yield from comparisons(part, not negated)
        case And(parts) | Or(parts):
            for part in parts:
                yield from comparisons(part, negated)


def mentioned(condition: Condition) -> tuple[str, ...]:
    """Every class of the condition, in order of first mention."""
    return tuple(dict.fromkeys(name for comparison, _ in comparisons(condition) for name in comparison.classes))


def wanted(condition: Condition) -> tuple[str, ...]:
    """The classes that the condition asks to see, not to miss: ``person < 2%`` and ``not person`` want none."""
    asks = {
        False: (">", ">=", "="),
        True: ("<", "<=", "!="),
    }
    return tuple(
        dict.fromkeys(
            name
            for comparison, negated in comparisons(condition)
            if comparison.operator in asks[negated]
            for name in comparison.classes
        )
    )


def to_text(query: Query) -> str:
    """The query in its own language; ``parse`` reads it back to an equal value."""
    words = [_condition(query.condition)]
    if query.min_seconds:
        words.append(f"for {_number(query.min_seconds)}s")
    if query.gap_seconds:
        words.append(f"gap {_number(query.gap_seconds)}s")
    if query.video is not None:
        words.append(f"in {_quoted(query.video)}")
    return " ".join(words)


def _condition(condition: Condition) -> str:
    match condition:
        case Comparison(classes, operator, share):
            total = " + ".join(_name(name) for name in classes)
            return total if (operator, share) == (">", 0.0) else f"{total} {operator} {_number(share, percent=True)}%"
        case Not(part):
            return f"not {_operand(part)}"
        case And(parts):
            return " and ".join(_operand(part) for part in parts)
        case Or(parts):
            return " or ".join(_operand(part) for part in parts)


def _operand(condition: Condition) -> str:
    text = _condition(condition)
    return f"({text})" if isinstance(condition, And | Or) else text


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
