"""What people see of an answer: text that is nothing but text, JSON that is nothing but JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from vss_ray import config
from vss_ray.cli.app import app
from vss_ray.errors import ConfigError, QueryError
from vss_ray.index.build import write_tables
from vss_ray.index.synthetic import archive
from vss_ray.labels.taxonomy import load
from vss_ray.run import RUN, Run
from vss_ray.storage.location import Location

NAMES = ["<script>alert(1)</script>", "[bold]", "a\x1b[2Jb\n", "../../x", '"; DROP', "\N{RIGHT-TO-LEFT OVERRIDE}x"]


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> str:
    """A made-up archive in which names mean harm, in a run of the classes of Cityscapes."""
    location = Location.open(tmp_path_factory.mktemp("out"))
    point = config.load("per_frame", ["segmenter.weights=random:mobilenet_v2"]).resolved(has_cuda=False)
    Run.start(location, point, "/archive")
    content = json.loads(location.read(RUN)) | {"taxonomy": load("cityscapes").to_dict()}
    location.write(RUN, json.dumps(content).encode())
    records = list(archive(0.005 * len(NAMES)))
    each = len(records) // len(NAMES)
    named = [
        (clip | {"video_id": f"{n // each}{NAMES[min(n // each, len(NAMES) - 1)]}", "source": "\0<b>"}, rows)
        for n, (clip, rows) in enumerate(records)
    ]
    write_tables(
        location,
        [
            (clip, rows.set_column(0, rows.schema.field(0), [[clip["video_id"]] * len(rows)]))
            for clip, rows in sorted(named, key=lambda record: (record[0]["video_id"], record[0]["start"]))
        ],
    )
    return location.root


def vss(*arguments: str) -> str:
    finished = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert finished.exit_code == 0
    return finished.stdout


def test_names_that_mean_harm_are_shown_and_do_nothing(out):
    shown = vss("search", out, "road")
    assert "\x1b[2J" not in shown
    assert "<script>" in shown
    assert "[bold]" in shown
    hits = json.loads(vss("search", out, "road sort by duration", "--json"))
    assert {hit["video_id"][1:] for hit in hits} >= set(NAMES[:5])
    assert hits[0]["seconds"] == max(hit["seconds"] for hit in hits)
    assert (
        json.loads(vss("search", out, 'road in "*<script>*"', "--limit", "1", "--json"))[0]["video_id"][1:] == NAMES[0]
    )
    assert json.loads(vss("search", out, 'road in "*/../*"', "--json")) != json.loads(
        vss("search", out, "road", "--json")
    )


def test_explains_what_it_would_run(out):
    text = vss("search", out, "car > 2% sort by peak", "--limit", "3", "--explain")
    assert '-- share_13: "car"' in text
    assert "-- $limit = 3" in text
    assert "ORDER BY best[1] DESC" in text


def test_sql_in_three_forms(out):
    statement = "SELECT DISTINCT video_id, 1.50::DECIMAL(4, 2) AS n, [1, 2] AS l, NULL AS x FROM clips ORDER BY ALL"
    rows = json.loads(vss("sql", out, statement, "--json"))
    assert {row["video_id"][1:] for row in rows} >= set(NAMES[:5])
    assert (rows[0]["n"], rows[0]["l"], rows[0]["x"]) == (1.5, [1, 2], None)
    read = list(csv.DictReader(io.StringIO(vss("sql", out, statement, "--csv"), newline="")))
    assert [row["video_id"] for row in read] == [row["video_id"] for row in rows]
    assert (read[0]["n"], read[0]["l"], read[0]["x"]) == ("1.5", "[1, 2]", "")
    shown = vss("sql", out, statement)
    assert "\x1b[2J" not in shown
    assert "<script>" in shown


def test_values_that_json_does_not_know(out):
    statement = """SELECT 'nan'::DOUBLE a, DATE '2026-01-02' b, INTERVAL 90 SECOND c, '\\xFF'::BLOB d, MAP {1: 2} e,
        {'x': 'inf'::FLOAT} f, 170141183460469231731687303715884105727::HUGEINT g, TIME '01:02:03' h, true i"""
    assert json.loads(vss("sql", out, statement, "--json")) == [
        {"a": None, "b": "2026-01-02", "c": "0:01:30", "d": "ff", "e": {"1": 2}}
        | {"f": {"x": None}, "g": 2**127 - 1, "h": "01:02:03", "i": True}
    ]
    assert json.loads(vss("sql", out, "SELECT 1 WHERE false", "--json")) == []


def test_a_long_table_is_cut_and_says_so(out):
    finished = CliRunner().invoke(app, ["sql", out, "FROM range(201)"])
    assert "the first 200 rows; --csv or --json gives all" in finished.stderr
    assert len(vss("sql", out, "FROM range(201)", "--csv").splitlines()) == 202


def test_refusals(out):
    for arguments, error, told in (
        (("sql", out, "SELECT 1", "--json", "--csv"), ConfigError, "got both, wanted one"),
        (("sql", out, "DROP VIEW frames"), QueryError, "can only be read"),
        (("search", out, "car in left"), QueryError, "'half'"),
    ):
        with pytest.raises(error, match=told):
            CliRunner().invoke(app, arguments, catch_exceptions=False)
