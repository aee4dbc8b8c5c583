"""The JSON document of the benchmark: parts accumulate in one file, each with its machine, date and command."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vss_ray.cluster.benchmark import machine, parts
from vss_ray.cluster.benchmark.figures import Result
from vss_ray.cluster.benchmark.settings import SMOKE, Settings
from vss_ray.documents import read_mapping
from vss_ray.errors import ConfigError

VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One part as it was measured."""

    result: Result
    machine: dict[str, Any]
    commands: list[str]
    seconds: float
    """That it took."""
    smoke: bool
    """Sizes were those of a smoke run: nothing can be quoted."""


@dataclass
class Document:
    """Parts by name, in the order in which they are told."""

    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Document:
        """A stored document.

        Raises:
            ConfigError: There is none, or it is something else.
        """
        try:
            content = read_mapping(path.read_text())
            if content["version"] != VERSION:
                raise ConfigError(f"{path}: version {content['version']}; wanted {VERSION}, measure again")
            entries = {
                name: Entry(Result.from_dict(each), **{k: each[k] for k in _KEYS})
                for name, each in content["parts"].items()
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: no document of vss benchmark ({error!r}); give one that --store wrote"
            ) from error
        return cls(entries)

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{os.getpid()}-{path.name}")
        partial.write_text(json.dumps(self.to_dict(), indent=1) + "\n")
        os.replace(partial, path)

    def add(self, name: str, entry: Entry) -> None:
        """Take in a part that was just measured.

        Cases that it does not have stay, if they are of the same machine and versions: archives may be measured in
        several calls.
        """
        before = self.entries.get(name)
        if before is not None and (before.machine, before.smoke) == (entry.machine, entry.smoke):
            entry = _joined(before, entry)
        self.entries[name] = entry

    def to_dict(self) -> dict[str, Any]:
        """Plain values, medians and spreads written out for other programs."""
        content: dict[str, Any] = {}
        for name, entry in self.entries.items():
            rows = entry.result.to_dict()
            for row, figure in zip(rows["figures"], entry.result.figures, strict=True):
                row |= {"median": figure.median, "met": figure.met}
            content[name] = {**{key: getattr(entry, key) for key in _KEYS}, **rows}
        return {"version": VERSION, "parts": content}

    def sorted(self) -> Document:
        """In the order of ``parts.NAMES``."""
        return Document({name: self.entries[name] for name in parts.NAMES if name in self.entries})


_KEYS = ("machine", "commands", "seconds", "smoke")


def _joined(before: Entry, entry: Entry) -> Entry:
    cases = {figure.case for figure in entry.result.figures}
    figures = [figure for figure in before.result.figures if figure.case not in cases] + entry.result.figures
    about = {note.partition(":")[0] for note in entry.result.notes}  # notes begin with what they are about
    notes = [note for note in before.result.notes if note.partition(":")[0] not in about] + entry.result.notes
    commands = dict.fromkeys((*before.commands, *entry.commands))
    return replace(
        entry, result=Result(figures, notes), commands=list(commands), seconds=before.seconds + entry.seconds
    )


def measure(name: str, settings: Settings) -> Entry:
    """Run one part."""
    part = parts.load(name)
    began = time.perf_counter()
    result = part.run(settings)
    return Entry(
        result,
        machine.describe(),
        [settings.command(name)],
        round(time.perf_counter() - began, 1),
        settings.sizes == SMOKE,
    )
