"""What the README tells people to type is understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vss_ray import config
from vss_ray.export.formats import coco, davis, mot
from vss_ray.index.language import parse
from vss_ray.labels.taxonomy import load

README = (Path(__file__).parents[1] / "README.md").read_text()
QUERIES = re.findall(r"^vss search OUT '([^']+)'", README, re.MULTILINE)
SETTING = re.compile(r"--set ([\w.]+=[\w.-]+)")
SETS = [
    SETTING.findall(line)
    for line in README.splitlines()
    # Those name files of the reader's own, or are settings of an export.
    if "--set" in line and not re.search(r"segmenter\.|encoder|--set of=", line)
]
OF_EXPORTS = sorted({each for each in SETTING.findall(README) if each.startswith("of=")})


@pytest.mark.parametrize("query", QUERIES)
def test_every_question_is_understood(query):
    assert parse(query, load("camvid"))


@pytest.mark.parametrize("overrides", SETS)
def test_every_setting_makes_an_operating_point(overrides):
    assert config.load("evs", overrides)


@pytest.mark.parametrize("setting", OF_EXPORTS)
@pytest.mark.parametrize("export", [coco, davis, mot])
def test_every_setting_of_an_export_is_one(export, setting):
    assert config.dataclass_from(export.Config, [setting]).of == setting.removeprefix("of=")


def test_there_is_something_to_check():
    assert len(QUERIES) >= 3
    assert len(SETS) >= 3
    assert OF_EXPORTS
