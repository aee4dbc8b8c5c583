"""A condition as SQL: columns to read, a boolean expression over them, and the moments that must be found first.

Moments. What depends on the second around a frame (changes, enters, leaves) is answered first, as a set of frames. A
second counts only if it is covered: clips that follow on each other without a hole. Nothing is known to have come or
gone, or to have changed, across the beginning of a video, its end, or a clip that failed.

Parts of the picture. The tables know a class in each cell of a 3x3 grid, not where in the cell it is. A cell that a
part cuts counts by the share of it that lies inside, as if the class were spread over the cell evenly.
"""

from __future__ import annotations

from itertools import product

from vss_ray.index.query import And, Change, Comparison, Condition, Count, Event, Not, Operator, Or, Region, Track

SECOND = 1.0
"""How long something must have been away to enter or leave; how far back changes look."""

SLACK = 1e-6
"""Share; what rounding of sums may add up to, where clips are ruled out by their summaries."""

SIDE = 3
"""Cells of the grid."""
FULL_CELL = 255
"""What the grid says of a cell that is all one class."""

COVERED = """\
runs AS (
    SELECT *, CASE WHEN lag(stop) OVER in_order = start THEN 0 ELSE 1 END AS opens
    FROM clips WINDOW in_order AS (PARTITION BY video_id ORDER BY start)
), covered AS (
    SELECT *, min(start_seconds) OVER run AS covered_from, max(stop_seconds) OVER run AS covered_to
    FROM (SELECT *, sum(opens) OVER (PARTITION BY video_id ORDER BY start ROWS UNBOUNDED PRECEDING) AS run FROM runs)
    WINDOW run AS (PARTITION BY video_id, run)
), """

ENTERS = """\
moments_{n} AS (
    SELECT here.* FROM (
        SELECT *, lag(video_id) OVER () = video_id AS has_other, lag(stop) OVER () AS other FROM frames_asked
        WHERE {holds}
    ) here JOIN covered USING (video_id, clip_id)
    WHERE here.start - greatest(covered_from, CASE WHEN has_other THEN other ELSE covered_from END)
        >= $second - $tolerance
), """

LEAVES = """\
moments_{n} AS (
    SELECT here.* FROM (
        SELECT *, lead(video_id) OVER () = video_id AS has_other, lead(start) OVER () AS other FROM frames_asked
        WHERE {holds}
    ) here JOIN covered USING (video_id, clip_id)
    WHERE least(covered_to, CASE WHEN has_other THEN other ELSE covered_to END) - here.stop
        >= $second - $tolerance
), """

CHANGES = """\
reaches_{n} AS (
    SELECT *, max({peak}) OVER past - min({least}) OVER past AS reach
    FROM covered WINDOW past AS (PARTITION BY video_id ORDER BY stop_seconds
        RANGE BETWEEN (stop_seconds - start_seconds + $second + $tolerance) PRECEDING AND CURRENT ROW)
), lively_{n} AS (
    SELECT video_id, clip_id, covered_from, reach >= $change_{n} - $slack AS is_lively FROM reaches_{n}
    QUALIFY max(reach) OVER (PARTITION BY video_id ORDER BY start_seconds
        RANGE BETWEEN CURRENT ROW AND (stop_seconds - start_seconds + $second + $tolerance) FOLLOWING
    ) >= $change_{n} - $slack
), near_{n} AS NOT MATERIALIZED (
    SELECT * FROM frames_asked JOIN lively_{n} USING (video_id, clip_id)
), moments_{n} AS (
    SELECT here.* FROM near_{n} here ASOF JOIN near_{n} earlier
        ON earlier.video_id = here.video_id AND earlier.start <= here.start - $second + $tolerance
    WHERE here.is_lively AND here.start - here.covered_from >= $second - $tolerance
        AND abs({here}::DOUBLE - {earlier}::DOUBLE)::FLOAT {operator} $change_{n}::FLOAT
), """


FOLLOWED = """\
moments_{n} AS (
    SELECT here.* FROM frames_asked here SEMI JOIN (
        SELECT video_id, frame FROM tracks WHERE track = {number} AND area > 0{inside}
    ) seen USING (video_id, frame)
), """

Momentary = Change | Event | Track
"""What is answered first, as a set of frames."""

OPPOSITE: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "!=", "!=": "="}


class Conditions:
    """Turns conditions into expressions, and remembers what they need."""

    def __init__(self, ids: dict[str, int]) -> None:
        """``ids``: column of every class that will be mentioned."""
        self.ids = ids
        self.columns = {f"share_{i}": f"area_{i}" for i in ids.values()}
        """What to read of a frame: name in the expressions -> expression over the view ``wide``."""
        self.parameters: dict[str, float | int] = {}
        self.moments: list[str] = []
        """Common table expressions ``moments_1``, ``moments_2``, ...: frames by themselves."""
        self._written: dict[Momentary, tuple[int, bool]] = {}

    def exact(self, condition: Condition, given: Momentary | None = None) -> str:
        """True for the frames that satisfy it; ``given`` is a term that is known to hold."""
        match condition:
            case Not(part):
                return f"NOT ({self.exact(part)})"
            case And(parts):
                return " AND ".join(f"({self.exact(part, given)})" for part in parts)
            case Or(parts):
                return " OR ".join(f"({self.exact(part)})" for part in parts)
            case Change() | Event() | Track():
                if condition == given:
                    return "true"
                number, is_held = self._moments(condition)
                keyword = "IN" if is_held else "NOT IN"
                return f"place {keyword} (SELECT place FROM moments_{number})"
            case _:
                return self._comparison(condition)

    def possible(self, condition: Condition, negated: bool = False) -> str:
        """True at least for the frames that satisfy it, and for few others; it asks for no moments."""
        match condition:
            case Not(part):
                return self.possible(part, not negated)
            case And(parts) | Or(parts):
                word = " AND " if isinstance(condition, And) != negated else " OR "
                return word.join(f"({self.possible(part, negated)})" for part in parts)
            case Event(part) if not negated:
                return self._comparison(part)
            case Change() | Event() | Track():
                return "true"
            case _:
                return f"NOT ({self._comparison(condition)})" if negated else self._comparison(condition)

    def source(self, condition: Condition) -> tuple[str, Momentary | None]:
        """Where the frames that can satisfy it are found: among moments that all must be, or in the whole table."""
        for part in condition.parts if isinstance(condition, And) else (condition,):
            if isinstance(part, Momentary) and self._moments(part)[1]:
                return f"moments_{self._moments(part)[0]}", part
        return "frames_asked", None

    def _comparison(self, term: Comparison | Count) -> str:
        if isinstance(term, Count):
            measure = " + ".join(self._column(f"objects_{self.ids[name]}") for name in term.classes)
            return f"{measure} {term.operator} {self._bound(term.number)}"
        share = total([f"share_{self.ids[name]}" for name in term.classes])
        if term.region is None:
            return f"{share} {term.operator} {self._bound(term.share)}::FLOAT"
        inside = f"{self._share_within(term.classes, term.region)} {term.operator} {self._bound(term.share)}::FLOAT"
        # What is nowhere is in no part; said first, it spares reading the grid of most frames.
        return inside if holds(0.0, term.operator, term.share) else f"{share} > 0 AND {inside}"

    def _share_within(self, classes: tuple[str, ...], region: Region) -> str:
        """Share of the whole picture that classes cover in a part of it."""
        by_weight: dict[float, list[str]] = {}
        for cell, weight in enumerate(cell_weights(region)):
            names = [self._column(f"grid_{cell}_{self.ids[name]}") for name in classes]
            by_weight.setdefault(weight, []).extend(names)
        by_weight.pop(0.0, None)
        sums = [f"{self._bound(weight)} * ({' + '.join(names)})" for weight, names in by_weight.items()]
        return f"(({' + '.join(sums)}) / {SIDE * SIDE * FULL_CELL})::FLOAT"

    def _moments(self, term: Momentary) -> tuple[int, bool]:
        """Number of the frames that decide a term, and whether it holds on them or on all others."""
        if term not in self._written:
            number = len(self._written) + 1
            is_held = isinstance(term, Event | Track) or not holds(0.0, term.operator, term.share)
            self._written[term] = number, is_held
            if not isinstance(term, Track):
                self.parameters["second"] = SECOND
            if isinstance(term, Track):
                inside = "" if term.region is None else self._center_within(term.region)
                self.moments.append(FOLLOWED.format(n=number, number=self._bound(term.number), inside=inside))
            elif isinstance(term, Event):
                template = ENTERS if term.kind == "enters" else LEAVES
                self.moments.append(template.format(n=number, holds=self._comparison(term.part)))
            else:
                ids = [self.ids[name] for name in term.classes]
                self.parameters |= {f"change_{number}": term.share, "slack": SLACK}
                self.moments.append(
                    CHANGES.format(
                        n=number,
                        here=total([f"here.share_{i}" for i in ids]),
                        earlier=total([f"earlier.share_{i}" for i in ids]),
                        peak=" + ".join(f"peak[{i + 1}]::DOUBLE" for i in ids),
                        least=" + ".join(f"least[{i + 1}]::DOUBLE" for i in ids),
                        operator=term.operator if is_held else OPPOSITE[term.operator],
                    )
                )
        return self._written[term]

    def _center_within(self, region: Region) -> str:
        """The center of mass of an object that is seen; what lies on a border is on its far side, at the rim inside."""
        parts = []
        for name, (low, high) in {"x": region.columns, "y": region.rows}.items():
            if low > 0:
                parts.append(f" AND {name} >= {self._bound(low)}")
            if high < 1:
                parts.append(f" AND {name} < {self._bound(high)}")
        return "".join(parts)

    def _column(self, name: str) -> str:
        """A whole number of the table, as one that may be added up."""
        self.columns[name] = f"{name}::INTEGER"
        return name

    def _bound(self, value: float) -> str:
        """A parameter for a number, the same one for the same number."""
        known = {number: name for name, number in self.parameters.items() if name.startswith("number_")}
        name = known.get(value, f"number_{len(known) + 1}")
        self.parameters[name] = value
        return f"${name}"


def total(columns: list[str]) -> str:
    """A sum of shares, added as double and compared as float like what is stored, so that ``>= 2%`` finds 2 %."""
    if len(columns) == 1:
        return columns[0]
    return f"({' + '.join(f'{name}::DOUBLE' for name in columns)})::FLOAT"


def cell_weights(region: Region) -> list[float]:
    """How much of each cell lies in a part of the picture, 0 to 1; cell = row * 3 + column."""

    def inside(cell: int, stretch: tuple[float, float]) -> float:
        low, high = stretch
        return round(max(min(high * SIDE, cell + 1) - max(low * SIDE, cell), 0.0), 9)

    cells = product(range(SIDE), range(SIDE))
    return [inside(row, region.rows) * inside(column, region.columns) for row, column in cells]


def holds(value: float, operator: Operator, number: float) -> bool:
    """Whether a number compares like that."""
    return {
        ">": value > number,
        ">=": value >= number,
        "<": value < number,
        "<=": value <= number,
        "=": value == number,
        "!=": value != number,
    }[operator]
