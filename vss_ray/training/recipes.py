"""Recipes: what a training changes of its module's defaults, as YAML with the fields of its ``Config``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vss_ray import config as points
from vss_ray.documents import read_yaml
from vss_ray.errors import ConfigError

T = TypeVar("T")


def load(name: str) -> dict[str, Any]:
    """A recipe by the name of a file in configs/train/, or by path.

    Raises:
        ConfigError: There is none, or it is no YAML mapping.
    """
    path = Path(name) if Path(name).suffix in (".yaml", ".yml") else folder() / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, names(), n=3)
        raise ConfigError(f"no recipe {name!r}; there is {', '.join(near or names())}, or give a YAML file")
    try:
        content = read_yaml(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: got {type(content).__name__}; wanted a mapping, such as schedule: {{epochs: 10}}")
    return content


def default(method: str) -> dict[str, Any]:
    """The recipe that is called as the method; empty where the package brings none."""
    return load(method) if method in names() else {}


def build(kind: type[T], recipe: Mapping[str, Any], overrides: Sequence[str] = ()) -> T:
    """A module's ``Config``: its defaults, then ``recipe``, then ``KEY=VALUE`` overrides.

    Raises:
        ConfigError: An unknown key, or a value that makes no sense.
    """
    return points.dataclass_from(kind, [*_written(recipe), *overrides])


def folder() -> Path:
    """Where the package's recipes are."""
    return points.folder() / "train"


def names() -> list[str]:
    """Recipes that the package brings."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def _written(recipe: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The recipe as overrides of single values."""
    for key, value in recipe.items():
        if isinstance(value, dict) and value:
            yield from _written(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={json.dumps(value)}"
