"""The lock is whole, and of the versions that constraints.txt and pyproject.toml name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"([a-z0-9-]+)==(\S+) --hash=sha256:[0-9a-f]{64}")
EXTRAS = ("cpu", "int8", "hf", "search")


@pytest.fixture(scope="module")
def locked():
    lines = (ROOT / "infra" / "requirements-cpu.lock").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    matches = [match for line in packages if (match := LINE.fullmatch(line))]
    assert len(matches) == len(packages), "a line without a version or a hash; run make lock"
    return {match[1]: Version(match[2]) for match in matches}


def test_versions_are_those_that_were_tested_together(locked):
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    tested = {canonicalize_name(name): version for name, version in pins.items()}
    assert {name: version.public for name, version in locked.items()} == {name: tested.get(name) for name in locked}


def test_whatever_the_package_asks_for_is_there(locked):
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = content["project"]
    asked = [*project["dependencies"], *content["build-system"]["requires"]]
    asked += [each for extra in EXTRAS for each in project["optional-dependencies"][extra]]
    for requirement in map(Requirement, asked):
        assert locked[canonicalize_name(requirement.name)] in requirement.specifier
