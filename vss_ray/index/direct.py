"""DuckDB itself, for questions that the language has no words for: one statement that reads, over the views of a run.

Nothing can be written and no other file be reached, whatever the statement says: see ``tables``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from vss_ray.errors import QueryError
from vss_ray.index.tables import connect
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.printable import one_line
from vss_ray.storage.location import Location

VIEWS = "frames, clips, keyframes and taxonomy"
READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
PORTION = 10_000
"""Rows in memory at once."""


@dataclass(frozen=True)
class Answer:
    """What a statement gives."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]
    """Values as DuckDB has them in Python; to be read while the connection is open."""


@contextmanager
def answer(location: Location, taxonomy: Taxonomy, statement: str) -> Iterator[Answer]:
    """Run one statement over ``frames``, ``clips``, ``keyframes`` (see ``schema``) and ``taxonomy``.

    ``taxonomy`` has a row for every class: ``id`` from 0, ``name``, ``color`` such as ``#804080``, ``synonyms``.

    Raises:
        QueryError: It is no SQL, or does something else than read.
        StorageError: See ``tables.connect``.
    """
    try:
        with connect(location, taxonomy) as connection:
            _add(connection, taxonomy)
            result = connection.execute(_reading(connection, statement))
            yield Answer(tuple(column[0] for column in result.description or ()), _rows(result))
    except duckdb.Error as error:
        raise QueryError(f"SQL: {_sentence(error)}; there is {VIEWS}, and DESCRIBE shows their columns") from error


def _add(connection: duckdb.DuckDBPyConnection, taxonomy: Taxonomy) -> None:
    connection.execute("CREATE TEMP TABLE taxonomy (id INTEGER, name VARCHAR, color VARCHAR, synonyms VARCHAR[])")
    for i, (name, color, aliases) in enumerate(zip(taxonomy.classes, taxonomy.colors, taxonomy.aliases, strict=True)):
        connection.execute("INSERT INTO taxonomy VALUES (?, ?, ?, ?)", [i, name, "#" + bytes(color).hex(), aliases])


def _reading(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.Statement:
    try:
        statement.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"SQL, character {error.start + 1}: this is no character; write it in UTF-8") from None
    given = connection.extract_statements(statement)
    if len(given) != 1:
        raise QueryError(f"SQL: got {len(given)} statements, wanted one; put what belongs together into WITH")
    if given[0].type not in READING:
        raise QueryError(f"SQL: a run can only be read; got {given[0].type.name}, wanted SELECT, DESCRIBE or EXPLAIN")
    return given[0]


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while portion := result.fetchmany(PORTION):
        yield from portion


def _sentence(error: duckdb.Error) -> str:
    """DuckDB's message without its picture of the place, on one line."""
    message = str(error).split("\n\nLINE ", 1)[0].split("\nLINE ", 1)[0]
    return one_line(message).rstrip(".!;")
