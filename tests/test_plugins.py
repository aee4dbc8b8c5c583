"""A name is a module: the package's own, or anybody's by its dotted path."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from vss_ray import config, plugins
from vss_ray.errors import ConfigError

FAMILIES = ("engines", "flow", "keyframes", "masks", "methods", "segmenters")
SCHEDULE = """
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Config:
    __pydantic_config__ = {"extra": "forbid"}
    step: int = 2

class Own:
    def __init__(self, config):
        self.step = config.step
    def may_choose(self, index, seconds, previous_seconds):
        return index % self.step == 0
    def choose(self, signals):
        return list(range(0, len(signals), self.step))

build = Own
"""


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write modules of a package of the user's own and name them."""
    package = tmp_path / "of_my_own"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, content: str) -> str:
        (package / f"{name}.py").write_text(content)
        return f"of_my_own.{name}"

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "of_my_own"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("family", "some"),
    [
        ("flow", {"dis", "farneback"}),
        ("keyframes", {"fixed", "aks", "optimal"}),
        ("methods", {"per_frame", "evs"}),
        ("masks", {"ffv1", "h264"}),
        ("engines", {"openvino", "torch"}),
        ("segmenters", {"builtin", "transformers", "torchvision", "exported"}),
    ],
)
def test_what_the_package_brings(family, some):
    names = plugins.names(family)
    assert some <= set(names)
    assert names == sorted(names)
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize(("family", "name"), [(f, name) for f in FAMILIES for name in plugins.names(f)])
def test_every_plug_in_has_its_form(family, name):
    module = plugins.load(family, name)
    assert module is plugins.load(family, f"vss_ray.{family}.{name}")
    assert callable(module.build)
    assert module.__doc__
    kind: Any = module.Config
    assert is_dataclass(module.Config)
    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields(kind))
    assert kind.__pydantic_config__ == {"extra": "forbid"}
    assert get_type_hints(kind).keys() >= {field.name for field in fields(kind)}


def test_one_of_the_users_own(own_package):
    path = own_package("schedule", SCHEDULE)
    point = config.from_dict({"method": "evs", "segmenter": "builtin", "keyframes": {"name": path, "step": 3}})
    assert point.keyframes.to_dict() == {"name": path, "step": 3}
    assert point.keyframes.module.build(point.keyframes.config).may_choose(3, 0.0, 0.0)
    with pytest.raises(ConfigError, match=r"unknown key keyframes\.stepp; did you mean step"):
        config.from_dict({"method": "evs", "segmenter": "builtin", "keyframes": {"name": path, "stepp": 3}})


@pytest.mark.parametrize("name", ["diss", "no.such.module", "vss_ray.flow.diss", "vss_ray.flow.dis.more"])
def test_what_is_not_there(name):
    with pytest.raises(ConfigError, match=rf"flow: there is no '{name}'; there is .*dis.*your own module"):
        plugins.load("flow", name)


def test_a_module_of_the_users_own_that_is_not_there(own_package):
    own_package("schedule", SCHEDULE)
    with pytest.raises(ConfigError, match=r"keyframes: there is no 'of_my_own\.schedules'"):
        plugins.load("keyframes", "of_my_own.schedules")


@pytest.mark.parametrize(
    ("content", "lacks"), [("", "Config and build"), ("class Config: ...", "build"), ("def build(): ...", "Config")]
)
def test_a_module_that_is_no_plug_in(own_package, content, lacks):
    path = own_package("unfinished", content)
    with pytest.raises(ConfigError, match=rf"flow: of_my_own\.unfinished is no plug-in: it lacks {lacks}; see README"):
        plugins.load("flow", path)


def test_what_a_plug_in_cannot_import_is_told_as_it_is(own_package):
    path = own_package("needy", "import surely_not_installed_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed_anywhere"):
        plugins.load("flow", path)


def test_an_error_inside_a_plug_in_is_told_as_it_is(own_package):
    path = own_package("broken", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        plugins.load("flow", path)


@pytest.mark.parametrize("name", ["./mine.py", ".mine", "mine/dis", ""])
def test_what_is_no_module_name_is_refused(name):
    with pytest.raises(ConfigError, match=r"is no module name; there is dis"):
        plugins.load("flow", name)
