"""Programs that an OUT may have run: those that the user of this process has named, and no others.

run.json says which plug-ins and which network a run was made with. Modules of somebody's own, and ``.pt2`` files, are
programs. Whoever hands an OUT on could so have a program run by whoever opens it. A program is known when this process
was given it, by ``--config``, ``--set`` or in Python, or when it stands in the variable ``VSS_TRUSTED``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

VARIABLE = "VSS_TRUSTED"
"""Names of modules and paths of programs, separated as in PATH."""
PROGRAM = ".pt2"

_named: set[str] = set()  # what the user says holds for the whole process


def name(point: Mapping[str, Any]) -> None:
    """Remember that the user has named an operating point, given in the form of its YAML."""
    _named.update(_modules(point), _files(point))


def check_modules(point: Mapping[str, Any]) -> None:
    """Refuse an operating point that came with an OUT and names modules that the user did not.

    Raises:
        ValueError: Which, and how to name them.
    """
    _check(_modules(point))


def check_files(point: Mapping[str, Any]) -> None:
    """The same of files that are programs; to be asked before one is loaded."""
    _check(_files(point))


def _check(programs: set[str]) -> None:
    trusted = _named | {*filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))}
    if unknown := sorted(programs - trusted):
        raise ValueError(
            f"it names {', '.join(unknown)}, a program that would run here; if you know it, set "
            f"{VARIABLE}={os.pathsep.join(unknown)}"
        )


def _parts(point: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = [{"name": value} if isinstance(value, str) else value for value in point.values()]
    return [value for value in values if isinstance(value, dict) and isinstance(value.get("name"), str)]


def _modules(point: Mapping[str, Any]) -> set[str]:
    return {part["name"] for part in _parts(point) if "." in part["name"]}


def _files(point: Mapping[str, Any]) -> set[str]:
    paths = [value for part in _parts(point) for value in part.values() if isinstance(value, str)]
    return {os.path.abspath(path) for path in paths if path.endswith(PROGRAM)}
