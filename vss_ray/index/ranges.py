"""Files of a location for DuckDB, every read a range of its own.

DuckDB's adapter for fsspec lets its threads share one open file and move its position under each other: wherever a read
lets go of the interpreter's lock, that gave wrong sums, not only errors. And fsspec's files read ahead, which fetched
seven times what DuckDB asked for. Here a position belongs to one thread, and a read is one request for its very bytes.

What is read is what was there at first, also when a file is replaced meanwhile: on disk the old one stays open, in S3 a
request names the version that it is about, and where that is gone the read fails.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import fsspec
from botocore.exceptions import BotoCoreError
from fsspec.spec import AbstractBufferedFile

from vss_ray.storage.location import Location


class RangedFiles(fsspec.AbstractFileSystem):
    """Some files of a location, read only, as ``vss://NAME``; for ``DuckDBPyConnection.register_filesystem``."""

    protocol = "vss"
    cachable = False

    def __init__(self, location: Location, paths: Mapping[str, str]) -> None:
        """Open the files; close them in the end.

        Args:
            location: Where they are.
            paths: Where each name is in the location.

        Raises:
            StorageError: One of them cannot be opened.
        """
        super().__init__()
        self.files: dict[str, Any] = {}
        """Seekable, each at its beginning; for one thread, and before DuckDB reads them."""
        with ExitStack() as stack:
            for name, path in paths.items():
                self.files[name] = stack.enter_context(location.open_input(path))
            self._stack = stack.pop_all()
        self._sizes = {name: _size(file) for name, file in self.files.items()}
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
        file, stop = self.files[name], min(stop, self._sizes[name])
        try:
            if isinstance(file, AbstractBufferedFile):
                return file._fetch_range(start, stop)
            if isinstance(file, io.BytesIO):
                return bytes(file.getbuffer()[start:stop])
            return os.pread(file.fileno(), stop - start, start)
        except (OSError, BotoCoreError) as error:
            self.failure = error
            raise

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

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


def _size(file: Any) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _name(path: str) -> str:
    return path.removeprefix("vss://")
