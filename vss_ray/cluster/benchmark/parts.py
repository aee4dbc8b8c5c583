"""The parts of the benchmark, in the order in which they run: the cheap ones first. Each can be run alone."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from vss_ray.cluster.benchmark.figures import Result
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.errors import ConfigError

NAMES = ("limits", "frame", "masks", "labels", "coarse", "camera", "sides", "plumbing", "memory", "growth", "objects")
"""Modules of this package."""


class Part(Protocol):
    """A module of this package that measures one thing; its docstring says what and how."""

    TITLE: str
    __doc__: str

    def run(self, settings: Settings) -> Result:
        """Measure it."""
        ...


def load(name: str) -> Part:
    """The part called ``name``.

    Raises:
        ConfigError: There is none.
    """
    if name not in NAMES:
        raise ConfigError(f"benchmark: no part {name!r}; there is {', '.join(NAMES)}, and none means all")
    return cast(Part, import_module(f"{__package__}.{name}"))
