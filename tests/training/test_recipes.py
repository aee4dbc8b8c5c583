"""Recipes: every one that the package brings fits its module, and a wrong key is named."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from vss_ray import training
from vss_ray.errors import ConfigError
from vss_ray.training import loop, recipes, segmenter


@dataclass(frozen=True, kw_only=True)
class Config:
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    schedule: loop.Config = field(default_factory=loop.Config)
    classes: tuple[int, ...] = (1,)
    weight: float = 0.5
    name: str = "a"


def test_a_recipe_changes_what_it_names_and_an_override_wins():
    recipe = {"schedule": {"epochs": 3, "batch": 2}, "classes": [4, 5], "name": "b: c"}
    built = recipes.build(Config, recipe, ["schedule.batch=7", "weight=2"])
    assert built == Config(schedule=loop.Config(epochs=3, batch=7), classes=(4, 5), weight=2.0, name="b: c")
    assert recipes.build(Config, {}) == Config()


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"schedule": {"epoch": 3}}, r"unknown key schedule\.epoch; did you mean epochs"),
        ({"wieght": 3}, r"unknown key wieght; did you mean weight"),
        ({"weight": "heavy"}, r"weight: got 'heavy'"),
        ({"weight": None}, r"weight: got None"),
        ({"schedule": 3}, r"schedule: got 3"),
    ],
)
def test_what_makes_no_sense_is_named(recipe, told):
    with pytest.raises(ConfigError, match=told):
        recipes.build(Config, recipe)


def test_files(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("schedule: {epochs: 3}\n# no more\n")
    assert recipes.load(str(path)) == {"schedule": {"epochs": 3}}
    path.write_text("# nothing\n")
    assert recipes.load(str(path)) == {}
    path.write_text("- 1\n")
    with pytest.raises(ConfigError, match="got list; wanted a mapping"):
        recipes.load(str(path))
    path.write_text("a: [1\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        recipes.load(str(path))
    with pytest.raises(ConfigError, match=r"no recipe '.*none\.yaml'; there is"):
        recipes.load(str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match="no recipe 'segmentr'; there is segmenter"):
        recipes.load("segmentr")
    assert recipes.default("nothing") == {}


@pytest.mark.parametrize("name", recipes.names())
def test_recipes_of_the_package_fit_their_modules(name):
    method = name.partition("-")[0]
    assert method in training.METHODS
    module = importlib.import_module(f"vss_ray.training.{method}")
    assert isinstance(recipes.build(module.Config, recipes.load(name)), module.Config)


def test_the_default_recipe_of_the_segmenter_is_its_defaults():
    assert recipes.build(segmenter.Config, recipes.default("segmenter")) == segmenter.Config()


def test_unknown_methods():
    assert training.load("segmenter") is segmenter.run
    with pytest.raises(ConfigError, match="nothing to train called 'everything'; there is segmenter, evs"):
        training.load("everything")
