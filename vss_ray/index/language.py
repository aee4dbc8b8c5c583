"""The language of ``vss search``: text to ``Query``, with errors that point at the place.

    person > 2% in left half and not (car + bus >= 30% or count("traffic light") >= 3) for 2s gap 500ms in "drive*"

The grammar is ``query.lark``. A class alone means "more than nothing of it"; a sum is what several classes cover
together, and one that is named twice counts once. Shares are of the whole picture, also where only a part of it counts.
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
from vss_ray.index.query import (
    KEYWORDS,
    And,
    Change,
    Comparison,
    Condition,
    Count,
    Event,
    Not,
    Operator,
    Or,
    Query,
    Region,
    Side,
    Track,
)
from vss_ray.labels.taxonomy import Taxonomy

LONGEST = 1000
"""Characters; it also bounds how deep a query can nest."""

SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "sec": Decimal(1), "min": Decimal(60), "h": Decimal(3600)}

OPERATORS: dict[str, Operator] = {o: o for o in (">", ">=", "<", "<=", "=", "!=")}

MOST_OBJECTS = 65535
"""What the tables can count to."""

WORDS = {
    "NAME": "a class name",
    "PATTERN": "the name of a video or a part of the picture (left half)",
    "NUMBER": "a number",
    "CLOCK": "a time (1:30)",
    "UNIT": "a unit (ms, s, sec, min, h)",
    "PERCENT": "'%'",
    "SIDE": "a side (left, right, top, bottom, middle, center)",
    "HALF": "'half'",
    "THIRD": "'third'",
    "KEY": "'time', 'peak', 'duration' or 'confidence'",
    "OPERATOR": "a comparison (> >= < <= = !=)",
    "PLUS": "'+'",
    "_NOT": "'not'",
    "LPAR": "'('",
    "_COUNT": "'count(...)'",
    "_CHANGES": "'changes in'",
    "_TRACK": "'track 1'",
    "_WITHIN": "'in left half'",
    "EVENT": "'enters' or 'leaves'",
    "_AND": "'and'",
    "_OR": "'or'",
    "RPAR": "')'",
    "FOR": "'for'",
    "GAP": "'gap'",
    "AFTER": "'after'",
    "BEFORE": "'before'",
    "IN": "'in'",
    "SORT": "'sort by'",
    "ORDER": "'asc' or 'desc'",
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

    def start(self, condition: Condition, *clauses: tuple[Token, dict[str, Any]]) -> Query:
        given: dict[str, Any] = {}
        for keyword, values in clauses:
            if given.keys() & values:
                raise self._refusal(keyword, f"'{_spaced(keyword)}' stands twice; keep one")
            given |= values
            if given.get("after", 0.0) >= given.get("before", math.inf):
                raise self._refusal(keyword, "nothing is both after and before that; the times are the wrong way round")
        return Query(condition, **given)

    def either(self, *parts: Condition) -> Or:
        return Or(parts)

    def both(self, *parts: Condition) -> And:
        return And(parts)

    def negate(self, part: Condition) -> Not:
        return Not(part)

    def happen(self, part: Comparison, event: Token) -> Event:
        return Event(part, "enters" if event.lower().startswith("enter") else "leaves")

    def comparison(
        self,
        classes: tuple[str, ...],
        operator: Token | None,
        share: tuple[Token, Decimal, bool] | None,
        region: Region | None,
    ) -> Comparison:
        if operator is None or share is None:
            return Comparison(classes, region=region)
        value = self._checked(operator, share, region)
        return Comparison(classes, OPERATORS[operator], value, region)

    def comparison_within(
        self, classes: tuple[str, ...], region: Region, operator: Token, share: tuple[Token, Decimal, bool]
    ) -> Comparison:
        return self.comparison(classes, operator, share, region)

    def change(self, classes: tuple[str, ...], operator: Token, share: tuple[Token, Decimal, bool]) -> Change:
        return Change(classes, OPERATORS[operator], self._checked(operator, share))

    def count(self, classes: tuple[str, ...], operator: Token | None, number: Token | None) -> Count:
        if operator is None or number is None:
            return Count(classes)
        value = Decimal(number)
        if value != int(value) or value > MOST_OBJECTS:
            raise self._refusal(number, f"objects are counted in whole numbers up to {MOST_OBJECTS}")
        return Count(classes, OPERATORS[operator], int(value))

    def track(self, number: Token, region: Region | None) -> Track:
        if not re.fullmatch("[0-9]+", number) or not 1 <= int(number) <= MOST_OBJECTS:
            raise self._refusal(number, f"objects that are followed have whole numbers from 1 to {MOST_OBJECTS}")
        return Track(int(number), region)

    def sum(self, *names: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))

    def name(self, token: Token) -> str:
        try:
            return self.taxonomy.classes[self.taxonomy.index(_unquoted(token))]
        except KeyError as error:
            raise self._refusal(token, str(error.args[0])) from None

    def share(self, number: Token, percent: Token | None) -> tuple[Token, Decimal, bool]:
        return number, Decimal(number) / (100 if percent else 1), percent is not None

    def region(self, side: Token, size: Token, percent: Token | None = None) -> Region:
        sides: dict[str, Side] = {s: s for s in ("left", "right", "top", "bottom", "middle", "center")}
        if percent is None:
            return Region(sides[_american(side)], {"half": 1 / 2, "third": 1 / 3}[size.lower()])
        share = float(Decimal(size) / 100)
        if not 0 < share <= 1:
            raise self._refusal(size, "a part of the picture is more than 0% and at most 100% of it")
        return Region(sides[_american(side)], share)

    def clause(self, keyword: Token, value: Token | float) -> tuple[Token, dict[str, Any]]:
        names = {"for": "min_seconds", "gap": "gap_seconds", "in": "video", "after": "after", "before": "before"}
        return keyword, {names[keyword.lower()]: _unquoted(value) if isinstance(value, Token) else value}

    def order(self, keyword: Token, key: Token, order: Token | None) -> tuple[Token, dict[str, Any]]:
        descending = key.lower() != "time" if order is None else order.lower() == "desc"
        return keyword, {"sort": key.lower(), "descending": descending}

    def time(self, number: Token, unit: Token | None = None) -> float:
        """Seconds of ``90s``, ``1.5min``, ``1:30`` or ``01:02:03``."""
        if unit is not None:
            seconds = float(Decimal(number) * SECONDS[unit.lower()])
        else:
            first, *rest = map(Decimal, number.split(":"))
            if any(part >= 60 for part in rest):
                raise self._refusal(number, "minutes and seconds go up to 59; a time is 1:30 or 01:02:03")
            for part in rest:
                first = first * 60 + part
            seconds = float(first)
        if not math.isfinite(seconds):
            raise self._refusal(number, "this is longer than any video")
        return seconds

    def _checked(self, operator: Token, share: tuple[Token, Decimal, bool], region: Region | None = None) -> float:
        """The number, if there can be such a share."""
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
        if region is not None and float(value) > region.share:
            raise self._refusal(
                number,
                f"shares are of the whole picture, and this part is {100 * region.share:.4g}% of it; "
                f"did you mean {100 * float(value) * region.share:.4g}%?",
            )
        return float(value)

    def _refusal(self, token: Token, sentence: str) -> QueryError:
        return _pointed(self.text, token.start_pos or 0, sentence)


def _spaced(keyword: Token) -> str:
    return " ".join(keyword.lower().split())


def _american(side: Token) -> str:
    return side.lower().replace("centre", "center")


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.type == "QUOTED" else str(token)


def _unexpected(text: str, error: UnexpectedInput) -> QueryError:
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    column = len(text) if is_end or error.pos_in_stream is None else error.pos_in_stream
    # The failed parser has already acted on the bad token, and forgotten what else could have stood there.
    before = _parser().parse_interactive(text[:column])
    before.exhaust_lexer()
    possible = before.accepts()
    *first, last = dict.fromkeys(word for terminal, word in WORDS.items() if terminal in possible)
    expected = f"{', '.join(first)} or {last}" if first else last
    found = re.match(r"[\w-]+|.", text[column:], re.DOTALL)
    got = repr(found[0][:30]) if found else "the end"
    return _pointed(text, column, f"expected {expected}, got {got}{_hint(text[:column], found and found[0], possible)}")


def _hint(before: str, found: str | None, possible: set[str]) -> str:
    """What people mean who write this, as far as it can be told."""
    if "HALF" in possible:
        return "; a video of that name goes in quotes"
    if found is None:
        return ""
    word, is_behind = found.lower(), before.rstrip().endswith(")")
    in_count = re.search(r"\bcount\s*\([^()]*(\)[^()]*)?$", before, re.IGNORECASE)
    if found in "\"'":
        return "; this quote is never closed"
    if in_count and word in ("%", "in"):
        return f"; a count takes no {'%' if word == '%' else 'part of the picture'}"
    if word == "limit":
        return "; how many answers you want is the option --limit"
    if word in ("and", "or", "not") and "FOR" in possible:
        return "; 'for 2s' and what else says how long, when and where goes behind the whole condition"
    if word in ("half", "third"):
        return "; a part of the picture goes right behind one class or sum, once"
    if is_behind and re.match("enter|leave", word):
        return f"; '{word}' goes right behind one class or sum"
    if "OPERATOR" in possible and found[0].isalpha() and word not in KEYWORDS:
        return "; a class name of several words goes in quotes"
    if is_behind and found in "+<>=!":
        return "; a sum takes no brackets"
    return ""


def _pointed(text: str, column: int, sentence: str) -> QueryError:
    """The sentence, then the part of the query around the column, then a caret under it."""
    left = max(0, column - 60)
    line = "".join(char if char.isprintable() else " " for char in text[left : left + 100])
    return QueryError(f"query, column {column + 1}: {sentence}\n  {line.rstrip()}\n  {' ' * (column - left)}^")
