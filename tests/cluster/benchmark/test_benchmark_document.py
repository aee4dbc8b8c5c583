"""Parts add up in one file, which other programs can read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from vss_ray.cli import app
from vss_ray.cluster.benchmark import parts
from vss_ray.cluster.benchmark.document import Document
from vss_ray.cluster.benchmark.figures import Result
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.errors import ConfigError


def test_a_document_comes_back_as_it_was_stored(made, tmp_path):
    path = tmp_path / "inner" / "benchmark.json"
    made().save(path)
    assert Document.load(path) == made()
    assert list(Document.load(path).sorted().entries) == ["sides", "growth"]
    content = json.loads(path.read_text())
    row = content["parts"]["sides"]["figures"][2]
    assert (row["median"], row["met"], row["values"]) == (32.0, True, [31.0, 33.0, 32.0])


def test_cases_add_up_on_one_machine_only(made):
    document, again = made(), made((20.0,)).entries["sides"]
    other = [replace(figure, case=figure.case.replace("480x360", "1280x720")) for figure in again.result.figures]
    document.add("sides", replace(again, result=Result(other, ["Another."]), commands=["vss benchmark sides --more"]))
    sides = document.entries["sides"]
    assert len(sides.result.figures) == 6
    assert sides.result.notes == ["evs ran on all.", "Another."]
    assert sides.commands == ["vss benchmark sides", "vss benchmark sides --more"]
    document.add("sides", again)
    assert [figure.values for figure in document.entries["sides"].result.figures if figure.unit == "x"][-1] == (20.0,)
    assert len(document.entries["sides"].result.figures) == 6
    document.add("sides", made(processor="Another CPU").entries["sides"])
    assert len(document.entries["sides"].result.figures) == 3


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99, "parts": {}}', '{"version": 1, "parts": {"sides": 1}}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "benchmark.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"benchmark\.json"):
        Document.load(path)


def test_every_part_can_be_loaded_and_others_are_refused():
    for name in parts.NAMES:
        part = parts.load(name)
        assert part.TITLE
        assert part.__doc__
    with pytest.raises(ConfigError, match="no part 'size'"):
        parts.load("size")


def test_the_command_shows_what_is_stored_and_measures_nothing(made, tmp_path):
    made().save(tmp_path / "old.json")
    made((27.0, 28.0, 29.0)).save(tmp_path / "new.json")
    stored = ["benchmark", "--stored", "--store", str(tmp_path / "new.json")]
    shown = CliRunner().invoke(app, [*stored, "--compare", str(tmp_path / "old.json")], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "missed" in shown.stdout
    assert "worse" in shown.stdout
    answer = CliRunner().invoke(app, [*stored, "--json"], catch_exceptions=False)
    assert json.loads(answer.stdout)["parts"]["sides"]["figures"][2]["median"] == 28.0


def test_commands_say_what_matters_for_the_figures(tmp_path):
    settings = Settings(work=tmp_path, console=Console(quiet=True))
    assert settings.command("sides") == "vss benchmark sides"
    more = replace(
        settings,
        rounds=3,
        archives=("480x360",),
        networks={"default": "", "mine": "/here/mine.safetensors"},
        dashcam=tmp_path / "drive.mp4",
        long=True,
        overrides=("segmenter.precision=fp32",),
    )
    assert more.command("sides") == (
        "vss benchmark sides --rounds 3 --archive 480x360 --network default --network mine=mine.safetensors "
        "--dashcam drive.mp4 --long --set segmenter.precision=fp32"
    )
