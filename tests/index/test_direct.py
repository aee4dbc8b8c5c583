"""DuckDB over a run reads, and does nothing else."""

from __future__ import annotations

import pytest

from vss_ray.errors import QueryError, StorageError
from vss_ray.index.build import write_tables
from vss_ray.index.direct import PORTION, answer
from vss_ray.index.synthetic import archive
from vss_ray.labels.taxonomy import load
from vss_ray.storage.location import Location

CITYSCAPES = load("cityscapes")


@pytest.fixture(scope="module")
def street(tmp_path_factory) -> Location:
    location = Location.open(tmp_path_factory.mktemp("street"))
    write_tables(location, archive(0.01))
    return location


def ask(location, statement):
    with answer(location, CITYSCAPES, statement) as result:
        return result.columns, list(result.rows)


def test_the_views_of_a_run(street):
    _, rows = ask(street, "SELECT count(*), sum(frames.area[t.id + 1]) FROM frames, taxonomy t WHERE t.name = 'road'")
    assert rows[0][0] == 900
    assert rows[0][1] > 0
    columns, rows = ask(street, "SELECT id, name, color, synonyms FROM taxonomy ORDER BY id LIMIT 2")
    assert columns == ("id", "name", "color", "synonyms")
    assert rows[0] == (0, "road", "#804080", ["street", "lane"])
    assert ask(street, "SELECT count(*) FROM keyframes")[1] == [(0,)]
    assert {row[0] for row in ask(street, "SHOW TABLES")[1]} >= {"frames", "clips", "keyframes", "taxonomy"}
    assert "area" in {row[0] for row in ask(street, "DESCRIBE frames")[1]}
    assert len(ask(street, f"FROM range({3 * PORTION + 1})")[1]) == 3 * PORTION + 1


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "selec 1",
            'SQL: Parser Error: syntax error at or near "selec"; there is frames, clips, keyframes and taxonomy',
        ),
        ("SELECT foo FROM clips", 'Referenced column "foo" not found'),
        ("SELECT * FROM nothing", "Table with name nothing does not exist"),
        ("", "got 0 statements, wanted one"),
        ("SELECT 1; SELECT 2", "got 2 statements, wanted one"),
        ("DROP VIEW frames", "a run can only be read; got DROP"),
        ("CREATE TABLE x AS FROM clips", "a run can only be read; got CREATE"),
        ("SET enable_external_access = true", "a run can only be read; got SET"),
        ("SELECT 1 -- \udcff", "character 13: this is no character"),
        ("SELECT '1'::INTEGER + 'a'::INTEGER", "Could not convert string"),
        ("SELECT error('\x1b[31m\nboo')", "boo"),
    ],
)
def test_refusals_are_one_sentence(street, statement, told):
    with pytest.raises(QueryError) as caught:
        ask(street, statement)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_no_statement_reaches_another_file_or_writes_one(street, tmp_path):
    (tmp_path / "secret").write_text("x")
    for statement in (
        f"FROM read_text('{tmp_path}/secret')",
        f"FROM '{tmp_path}/secret'",
        f"COPY clips TO '{tmp_path}/copy.csv'",
        f"ATTACH '{tmp_path}/new.db'",
        "INSTALL httpfs",
        "FROM glob('/*')",
        "FROM 'https://example.org/x.parquet'",
    ):
        with pytest.raises(QueryError):
            ask(street, statement)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_a_run_without_tables_is_named(tmp_path):
    with pytest.raises(StorageError, match="has no tables"):
        ask(Location.open(tmp_path), "SELECT 1")
