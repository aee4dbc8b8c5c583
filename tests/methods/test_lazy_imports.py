"""Processes that only decode stay small: importing methods and reading headers loads no network library."""

from __future__ import annotations

import subprocess
import sys

from vss_ray import config, plugins

IMPORTING = """
import sys
from vss_ray import config, plugins, stages
for name in plugins.names("methods"):
    plugins.load("methods", name)
for name in config.names():
    config.load(name)
print(sorted({"torch", "openvino", "transformers", "onnx"} & set(sys.modules)))
"""

BUILDING = """
import sys
from vss_ray import config, stages
point = config.load(sys.argv[1])
stages.build_method(point)
print(sorted({"torch", "openvino"} & set(sys.modules)))
"""


def printed(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_every_method_and_loading_every_operating_point():
    assert plugins.names("methods")
    assert config.names()
    assert printed(IMPORTING) == "[]"


def test_building_a_first_stage():
    assert printed(BUILDING, "evs") == "[]"
