"""A process and its descendants from outside: memory, open files and the object store, as they change."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

EVERY_SECONDS = 2.0
GONE = (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True)
class Look:
    """At one moment."""

    done: int
    """What ``Watch`` was given to count."""
    driver_bytes: int
    """Resident memory of the process itself."""
    driver_files: int
    """Files and sockets that it has open."""
    worker_bytes: int
    """Resident memory of the largest descendant."""
    worker_files: int
    """Most that one descendant has open."""
    store_bytes: int
    """Shared memory that Ray's raylet has touched: the object store, at its largest so far."""


class Watch:
    """Looks at a process every two seconds until it is left.

    Args:
        pid: Of the process.
        done: Counts how far it is.
    """

    def __init__(self, pid: int, done: Callable[[], int] = lambda: 0) -> None:
        self.looks: list[Look] = []
        self._process, self._done = psutil.Process(pid), done
        self._worked: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def most(self, name: str) -> float:
        """The largest value of a column of ``Look``."""
        return max((getattr(look, name) for look in self.looks), default=0)

    @property
    def core_seconds(self) -> float:
        """CPU time of the process and all its descendants, until each was last seen."""
        return sum(self._worked.values())

    def growth(self, name: str, first: int, last: int) -> float:
        """By how much a column grows per 1,000 done, a line fitted from ``first`` to ``last`` done."""
        points = [(look.done, getattr(look, name)) for look in self.looks if first <= look.done <= last]
        done, values = np.array(points, float).reshape(-1, 2).T
        return float(np.polyfit(done, values, 1)[0] * 1000) if len(set(done)) > 2 else 0.0

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            with suppress(*GONE):
                self.looks.append(self._look())

    def _look(self) -> Look:
        children = self._process.children(recursive=True)
        for each in (self._process, *children):
            with suppress(*GONE):
                self._worked[each.pid] = sum(each.cpu_times()[:2])
        family = [_facts(each.pid) for each in children]
        memory, files = max(each[0] for each in [(0, 0, 0), *family]), max(each[1] for each in [(0, 0, 0), *family])
        own = _facts(self._process.pid)
        return Look(self._done(), own[0], own[1], memory, files, max(each[2] for each in [(0, 0, 0), *family]))


def _facts(pid: int) -> tuple[int, int, int]:
    """(resident bytes, open files, bytes of shared memory) of a process; nothing of one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        named = dict(line.split(":", 1) for line in lines)
        resident, shared = (int(named.get(name, "0").split()[0]) * 1024 for name in ("VmRSS", "RssShmem"))
        is_raylet = named["Name"].strip() == "raylet"
        return resident - shared, len(os.listdir(f"/proc/{pid}/fd")), shared if is_raylet else 0
    except (*GONE, PermissionError, ValueError):
        return 0, 0, 0


def files_below(folder: Path) -> int:
    """How many files there are in a folder of folders; those that are being written are hidden and do not count."""
    count = 0
    with suppress(FileNotFoundError):
        for each in os.scandir(folder):
            count += sum(not entry.name.startswith(".") for entry in os.scandir(each.path))
    return count


class Clock:
    """Seconds of a ``with`` block."""

    seconds = 0.0

    def __enter__(self) -> Clock:
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
