"""The language of ``vss search``: text to ``Query``, with errors that point at the place.

    person > 2% and not (car + bus >= 30% or "traffic light") for 2s gap 500ms in "drive*"

The grammar is ``query.lark``. A class alone means "more than nothing of it"; a sum is what several classes cover
together, and one that is named twice counts once.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import cache
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError
from lark.visitors import Transformer_NonRecursive, v_args

from vss_ray.errors import QueryError
from vss_ray.index.query import And, Comparison, Condition, Not, Operator, Or, Query
from vss_ray.labels.taxonomy import Taxonomy

LONGEST = 1000
"""Characters; it also bounds how deep a query can nest."""

SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "sec": Decimal(1), "min": Decimal(60)}

WORDS = {
    "NAME": "a class name",
    "PATTERN": "the name of a video",
    "NUMBER": "a number",
    "UNIT": "a unit (ms, s, sec, min)",
    "PERCENT": "'%'",
    "OPERATOR": "a comparison (> >= < <= = !=)",
    "PLUS": "'+'",
    "_NOT": "'not'",
    "LPAR": "'('",
    "_AND": "'and'",
    "_OR": "'or'",
    "RPAR": "')'",
    "FOR": "'for'",
    "GAP": "'gap'",
    "IN": "'in'",
    "$END": "the end",
}
"""What the grammar may expect, as the user is told it, in this order."""


def parse(text: str, taxonomy: Taxonomy) -> Query:
    """Read a query; classes may be given by any name or synonym of the taxonomy, whatever the case.

    Raises:
        QueryError: It cannot be understood; what is wrong, then the query and a caret under the place.
    """
    if len(text) > LONGEST:
        raise QueryError(f"the query has {len(text)} characters, {LONGEST} is the most; ask in several queries")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _pointed(text, error.start, "this is no character; write the query in UTF-8") from None
    try:
        return _Reader(text, taxonomy).transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, QueryError):
            raise error.orig_exc from None
        raise


@cache
def _parser() -> Lark:
    return Lark.open("query.lark", rel_to=__file__, parser="lalr", maybe_placeholders=True)


@v_args(inline=True)
class _Reader(Transformer_NonRecursive):
    """Parse tree to ``Query``; not recursive, so that no nesting exhausts the stack."""

    def __init__(self, text: str, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.text = text
        self.taxonomy = taxonomy

    def start(self, condition: Condition, *clauses: tuple[Token, Any]) -> Query:
        given: dict[str, Any] = {}
        for keyword, value in clauses:
            if keyword.lower() in given:
                raise self._refusal(keyword, f"'{keyword.lower()}' stands twice; keep one")
            given[keyword.lower()] = value
        return Query(condition, given.get("for", 0.0), given.get("gap", 0.0), given.get("in"))

    def either(self, *parts: Condition) -> Or:
        return Or(parts)

    def both(self, *parts: Condition) -> And:
        return And(parts)

    def negate(self, part: Condition) -> Not:
        return Not(part)

    def compare(
        self, classes: tuple[str, ...], operator: Token | None, share: tuple[Token, Decimal, bool] | None
    ) -> Comparison:
        if operator is None or share is None:
            return Comparison(classes)
        number, value, is_percent = share
        if value > 1 and is_percent:
            raise self._refusal(number, "this is more than the whole picture; 100% is the most")
        if value > 1:
            hint = f"did you mean {number}%?" if value <= 100 else "1 is the most"
            raise self._refusal(number, f"a number without % is a share from 0 to 1; {hint}")
        if value == 1 and operator == ">" and not is_percent:
            raise self._refusal(
                number, "a number without % is a share from 0 to 1, and nothing is above 1; did you mean 1%?"
            )
        operators: dict[str, Operator] = {o: o for o in (">", ">=", "<", "<=", "=", "!=")}
        return Comparison(classes, operators[operator], float(value))

    def sum(self, *names: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    def name(self, token: Token) -> str:
        try:
            return self.taxonomy.classes[self.taxonomy.index(_unquoted(token))]
        except KeyError as error:
            raise self._refusal(token, str(error.args[0])) from None

    def share(self, number: Token, percent: Token | None) -> tuple[Token, Decimal, bool]:
        return number, Decimal(number) / (100 if percent else 1), percent is not None

    def clause(self, keyword: Token, value: Token | float) -> tuple[Token, Any]:
        return keyword, _unquoted(value) if isinstance(value, Token) else value

    def duration(self, number: Token, unit: Token) -> float:
        seconds = float(Decimal(number) * SECONDS[unit.lower()])
        if not math.isfinite(seconds):
            raise self._refusal(number, "this is longer than any video")
        return seconds

    def _refusal(self, token: Token, sentence: str) -> QueryError:
        return _pointed(self.text, token.start_pos or 0, sentence)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.type == "QUOTED" else str(token)


def _unexpected(text: str, error: UnexpectedInput) -> QueryError:
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    column = len(text) if is_end or error.pos_in_stream is None else error.pos_in_stream
    # The failed parser has already acted on the bad token, and forgotten what else could have stood there.
    before = _parser().parse_interactive(text[:column])
    before.exhaust_lexer()
    possible = before.accepts()
    *first, last = [word for terminal, word in WORDS.items() if terminal in possible]
    expected = f"{', '.join(first)} or {last}" if first else last
    found = re.match(r"[\w-]+|.", text[column:], re.DOTALL)
    got = repr(found[0][:30]) if found else "the end"
    return _pointed(text, column, f"expected {expected}, got {got}{_hint(text[:column], found and found[0], possible)}")


def _hint(before: str, found: str | None, possible: set[str]) -> str:
    if found is None:
        return ""
    if found in "\"'":
        return "; this quote is never closed"
    if "OPERATOR" in possible and found[0].isalpha():
        return "; a class name of several words goes in quotes"
    if before.rstrip().endswith(")") and found in "+<>=!":
        return "; a sum takes no brackets"
    return ""


def _pointed(text: str, column: int, sentence: str) -> QueryError:
    """The sentence, then the part of the query around the column, then a caret under it."""
    left = max(0, column - 60)
    line = "".join(char if char.isprintable() else " " for char in text[left : left + 100])
    return QueryError(f"query, column {column + 1}: {sentence}\n  {line.rstrip()}\n  {' ' * (column - left)}^")
