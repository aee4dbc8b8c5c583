"""One target for some time, in a process of its own: what is read is on disk before it is read."""

from __future__ import annotations

import hashlib
import os
import random
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.contract import Target, violation
from tests.fuzz.mutations import drawn, edited
from tests.fuzz.targets import TARGETS

CURRENT = "current"


class Journal:
    """The folder of a process: the input in hand, and one file for each kind of violation."""

    def __init__(self, folder: Path, target: Target) -> None:
        self.folder, self.target, self.kinds = folder, target, set[str]()
        self.count = 0
        self._current = os.open(folder / CURRENT, os.O_CREAT | os.O_WRONLY)

    def read(self, data: bytes) -> None:
        """Have the target read some bytes, and keep them where it breaks its promise in a new way."""
        os.pwrite(self._current, data, 0)
        os.ftruncate(self._current, len(data))
        self.count += 1
        problem = violation(self.target, data)
        kind = problem and re.sub(r"'.*'|\".*\"|\d+(\.\d+)? (s|MB|characters)$", "", problem)
        if problem and kind not in self.kinds:
            self.kinds.add(str(kind))
            keep(self.folder, self.target.name, data, problem)


def keep(folder: Path, name: str, data: bytes, problem: str) -> None:
    """Store an input and, beside it, what is wrong."""
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.with_suffix(".bin").write_bytes(data)
    path.with_suffix(".txt").write_text(problem + "\n")


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """The seeds, then without end what becomes of them."""
    rng, seeds = random.Random(seed), list(target.seeds())
    yield from seeds
    while True:
        data = rng.choice(seeds)
        if rng.random() < 0.1:
            other = rng.choice(seeds)
            data = data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]
        yield edited(data, drawn(rng, target.words))


def run(target: Target, seconds: float, seed: int, folder: Path) -> None:
    """Read for some time."""
    journal, stop = Journal(folder, target), time.monotonic() + seconds
    for data in inputs(target, seed):
        if time.monotonic() > stop:
            break
        journal.read(data)
    (folder / "count").write_text(str(journal.count))


if __name__ == "__main__":
    run(TARGETS[sys.argv[1]], float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
