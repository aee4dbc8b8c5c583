"""Files of a location for DuckDB, every read a range of its own.

DuckDB's adapter for fsspec lets its threads share one open file and move its position under each other: wherever a read
lets go of the interpreter's lock, that gave wrong sums, not only errors. And fsspec's files read ahead, which fetched
seven times what DuckDB asked for. Here a position belongs to one thread, and a read is one request for its very bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError
from fsspec.core import url_to_fs

from vss_ray.storage.location import Location


class RangedFiles(fsspec.AbstractFileSystem):
    """Some files of a location, read only, as ``vss://NAME``; for ``DuckDBPyConnection.register_filesystem``."""

    protocol = "vss"
    cachable = False

    def __init__(self, location: Location, paths: Mapping[str, str]) -> None:
        """``paths``: where each name is in the location; all are there."""
        super().__init__()
        # A local path must not go through url_to_fs, which takes "::" in it for a chain of file systems.
        self._source = url_to_fs(location.root)[0] if "://" in location.root else fsspec.filesystem("file")
        self._urls = {name: location.url(path) for name, path in paths.items()}
        self._sizes = {name: location.size(path) for name, path in paths.items()}
        self.failure: OSError | BotoCoreError | None = None
        """What went wrong when a file was read; DuckDB itself hands on a text only."""

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """As fsspec has it."""
        return {"name": path, "size": self._sizes[_name(path)], "type": "file"}

    def modified(self, path: str) -> datetime:
        """Always the same: DuckDB wants to know whether a file changed while its connection lasts."""
        return datetime.fromtimestamp(0, UTC)

    def fetch(self, name: str, start: int, stop: int) -> bytes:
        """The bytes ``[start, stop)`` of a file, or as many as there are."""
        try:
            return self._source.cat_file(self._urls[name], start=start, end=min(stop, self._sizes[name]))
        except (OSError, BotoCoreError) as error:
            self.failure = error
            raise

    def _open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> Any:
        return _RangedFile(self, _name(path))


class _RangedFile:
    """What DuckDB does with a file: it seeks and reads, each pair in one thread."""

    def __init__(self, files: RangedFiles, name: str) -> None:
        self._files = files
        self._name = name
        self._position = threading.local()

    def seek(self, offset: int) -> int:
        self._position.offset = offset
        return offset

    def read(self, size: int) -> bytes:
        start = getattr(self._position, "offset", 0)
        data = self._files.fetch(self._name, start, start + size)
        self._position.offset = start + len(data)
        return data

    def close(self) -> None:
        """Nothing is open."""


def _name(path: str) -> str:
    return path.removeprefix("vss://")
