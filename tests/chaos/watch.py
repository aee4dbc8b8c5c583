"""What must not grow: open files and sockets of processes, the object store, logs, what is left in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.victims import RAY, title

EVERY_SECONDS = 0.5


@dataclass
class Watch:
    """Maxima over all rounds."""

    scratch: Path
    """``TMPDIR`` of all processes."""
    sessions: Path
    """Where Ray keeps a folder for each of its sessions."""
    driver_files: int = 0
    """Open files and sockets of ``vss segment``."""
    worker_files: int = 0
    sockets: int = 0
    """Of one process of either kind."""
    store_bytes: int = 0
    """Shared memory of a raylet: what its object store has used."""
    session_bytes: int = 0
    """Of one session's folder; its logs for the most part."""
    left_behind: int = 0
    """Files in ``scratch`` after a round, when nobody works."""

    def look(self, driver: psutil.Process, ray: Iterable[psutil.Process]) -> None:
        """At processes that are alive."""
        files, sockets = _open(driver.pid)
        self.driver_files, self.sockets = max(self.driver_files, files), max(self.sockets, sockets)
        for process in ray:
            name = title(process)
            if name.startswith(RAY):
                files, sockets = _open(process.pid)
                self.worker_files, self.sockets = max(self.worker_files, files), max(self.sockets, sockets)
            elif "raylet/raylet" in name:
                with suppress(psutil.Error):
                    self.store_bytes = max(self.store_bytes, process.memory_info().shared)

    def look_around(self) -> None:
        """At folders, between rounds."""
        self.left_behind = max(self.left_behind, sum(path.is_file() for path in self.scratch.rglob("*")))
        for session in self.sessions.glob("session_2*"):
            self.session_bytes = max(self.session_bytes, _size(session))


def _open(pid: int) -> tuple[int, int]:
    """Descriptors of a process, and those of them that are sockets."""
    names = []
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                names.append(os.readlink(descriptor.path))
    return len(names), sum(name.startswith("socket:") for name in names)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total
