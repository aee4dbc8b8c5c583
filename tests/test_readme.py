"""What the README tells people to type is understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vss_ray import config
from vss_ray.index.language import parse
from vss_ray.labels.taxonomy import load

README = (Path(__file__).parents[1] / "README.md").read_text()
QUERIES = re.findall(r"^vss search OUT '([^']+)'", README, re.MULTILINE)
SETS = [
    re.findall(r"--set ([\w.]+=[\w.-]+)", line)
    for line in README.splitlines()
    if "--set" in line and "segmenter." not in line and "encoder" not in line  # those name files of the reader's own
]


@pytest.mark.parametrize("query", QUERIES)
def test_every_question_is_understood(query):
    assert parse(query, load("camvid"))


@pytest.mark.parametrize("overrides", SETS)
def test_every_setting_makes_an_operating_point(overrides):
    assert config.load("evs", overrides)


def test_there_is_something_to_check():
    assert len(QUERIES) >= 3
    assert len(SETS) >= 3
