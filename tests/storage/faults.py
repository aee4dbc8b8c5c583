"""A filesystem that keeps everything in memory and fails when it is told to: ``faulty://...`` for ``Location``.

Every call that reaches the store is numbered. What happens at one of them is a ``Trouble``; without one the store is a
good one. Errors are those that real stores raise; ``Killed`` is no ``Exception``, as little as SIGKILL is.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from typing import Any

import fsspec
from fsspec.implementations.memory import MemoryFileSystem

DELAY_SECONDS = 0.05


class Killed(BaseException):
    """The process dies here."""


class Trouble(Enum):
    """What can happen at one call."""

    KILL_BEFORE = "killed before it"
    KILL_AFTER = "killed after it"
    ERROR = "an error, nothing done"
    LOST = "done, and an error all the same"
    PARTIAL = "an upload that breaks off: an error, and nothing of it can be seen"
    STALE = "a listing as it was before the last change"
    FULL = "no space left"
    DELAY = "slow: others come in between"


class FaultyFileSystem(MemoryFileSystem):
    """See the module. One store for the process; ``trouble`` says what happens at which call, by its number from 0."""

    protocol = "faulty"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    calls: list[str] = []  # noqa: RUF012
    trouble: Callable[[int], Trouble | None] = staticmethod(lambda number: None)
    before: dict[str, Any] = {}  # noqa: RUF012
    is_inside = False
    """One call; what the store does for it by itself counts no further."""

    def _pipe(self, path: str, value: bytes, mode: str = "overwrite") -> None:
        self._strike(f"write {path}", partial(super().pipe_file, path, value, mode=mode), is_change=True)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self._pipe(path, value, mode)

    def put_file(self, lpath: str, rpath: str, *_: Any, **__: Any) -> None:
        with open(lpath, "rb") as file:
            self._pipe(rpath, file.read())

    def rm_file(self, path: str) -> None:
        self._strike(f"delete {path}", partial(super().rm_file, path), is_change=True)

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> bytes:
        return self._strike(f"read {path}", partial(super().cat_file, path, *arguments, **options))

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return self._strike(f"look at {path}", partial(super().info, path, **options))

    def find(self, path: str, *_: Any, **__: Any) -> Any:
        top = self._strip_protocol(path).rstrip("/") + "/"

        def listed() -> dict[str, Any]:
            files = {name: file for name, file in self.store.items() if name.startswith(top)}
            return {name: {"name": name, "type": "file", "size": file.size} for name, file in files.items()}

        return self._strike(f"list {path}", listed)

    def _strike(self, call: str, do: Callable[[], Any], is_change: bool = False) -> Any:
        cls = type(self)
        if cls.is_inside:
            return do()
        cls.is_inside = True
        try:
            return self._struck(call, do, is_change)
        finally:
            cls.is_inside = False

    def _struck(self, call: str, do: Callable[[], Any], is_change: bool) -> Any:
        cls = type(self)
        trouble = cls.trouble(len(cls.calls))
        cls.calls.append(call)
        if trouble is Trouble.DELAY:
            time.sleep(DELAY_SECONDS)
        if trouble is Trouble.KILL_BEFORE:
            raise Killed(call)
        if trouble is Trouble.ERROR or (trouble is Trouble.PARTIAL and is_change):
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        if trouble is Trouble.FULL and is_change:
            raise OSError(errno.ENOSPC, "No space left on device")
        if trouble is Trouble.STALE and call.startswith("list"):
            now = dict(cls.store)
            try:
                _become(cls.store, cls.before)
                return do()
            finally:
                _become(cls.store, now)
        if is_change:
            cls.before = dict(cls.store)
        done = do()
        if trouble is Trouble.KILL_AFTER:
            raise Killed(call)
        if trouble is Trouble.LOST:
            raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        return done


def _become(store: dict[str, Any], content: dict[str, Any]) -> None:
    store.clear()
    store.update(content)


fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)


def clear() -> None:
    """An empty store."""
    FaultyFileSystem.store.clear()
    FaultyFileSystem.before = {}
    FaultyFileSystem.calls.clear()


@contextmanager
def faulty(trouble: Callable[[int], Trouble | None]) -> Iterator[list[str]]:
    """While the body runs, calls are numbered anew and ``trouble`` is asked what happens; yields the calls."""
    FaultyFileSystem.calls.clear()
    FaultyFileSystem.trouble = staticmethod(trouble)
    try:
        yield FaultyFileSystem.calls
    finally:
        FaultyFileSystem.trouble = staticmethod(lambda number: None)
