"""DEST: files that appear whole, and what is remembered of them so that the same command goes on where it stopped.

``.vss-export/export.json`` says what DEST holds. ``.vss-export/<video_id>/<unit>.json`` is written after the files of a
unit, a clip or a video: which they are, what they were made from, and what the format wants to know of them at the end.
A unit is done if that file is there, was made from the same masks and frames, and the files that it names are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vss_ray.documents import read_mapping
from vss_ray.errors import ConfigError, StorageError
from vss_ray.storage.location import Location, MissingError

MEMORY = ".vss-export"


class Folder:
    """A place for the files of one export."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._listed: dict[str, set[str]] = {}

    def claim(self, content: dict[str, Any]) -> None:
        """Say what this place holds.

        Raises:
            ConfigError: It holds something else already.
        """
        path = f"{MEMORY}/export.json"
        content = json.loads(_json(content))
        if self.location.exists(path):
            before = self._read(path)
            changed = [key for key in {**before, **content} if before.get(key) != content.get(key)]
            if changed:
                difference = ", ".join(f"{key} was {before.get(key)!r}, is {content.get(key)!r}" for key in changed)
                raise ConfigError(f"{self.location.root} holds another export: {difference}; choose another folder")
            return
        self.location.check_writable()
        self.write(path, _json(content))

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, all or nothing."""
        self.location.write(path, data)

    @contextmanager
    def create(self, path: str) -> Iterator[Path]:
        """A local file to fill; it appears as ``path`` when the block ends well."""
        if "://" in self.location.root:
            with TemporaryDirectory(prefix="vss-export-") as scratch:
                file = Path(scratch, "file")
                yield file
                self.location.write(path, file.read_bytes())
            return
        target = Path(self.location.url(path))
        unfinished = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            unfinished.replace(target)
        except StorageError:
            raise  # from reading the source or the masks
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"cannot write {target}: {reason}; choose a folder that is yours") from error
        finally:
            with suppress(OSError):
                unfinished.unlink()

    def done(self, video_id: str, unit: str, digest: str) -> bool:
        """Whether a unit is there, whole, made from this."""
        remembered = self._remembered(f"{MEMORY}/{video_id}/{unit}.json")
        return remembered is not None and remembered["digest"] == digest and self._are_there(remembered["files"])

    def finish(self, video_id: str, unit: str, digest: str, files: Sequence[str], data: Any) -> None:
        """Remember a unit whose files are written; those of its former self that are no longer its own go away."""
        path = f"{MEMORY}/{video_id}/{unit}.json"
        before = self._remembered(path)
        for stale in set(before["files"] if before else ()) - set(files):
            self.location.delete(stale)
        self.write(path, _json({"digest": digest, "files": list(files), "data": data}))

    def remembered(self) -> Iterator[tuple[str, Any]]:
        """(video_id, data) of every unit that is done, in order."""
        for path in self.location.list(MEMORY):
            parts = path.split("/")
            if len(parts) == 3:
                yield parts[1], self._read(path, "data")["data"]

    def _remembered(self, path: str) -> dict[str, Any] | None:
        try:
            return self._read(path, "digest", "files")
        except MissingError:
            return None

    def _read(self, path: str, *keys: str) -> dict[str, Any]:
        try:
            return read_mapping(self.location.read(path), keys)
        except ValueError as error:
            raise StorageError(f"{self.location.url(path)} is damaged ({error}); delete it and export again") from error

    def _are_there(self, files: Sequence[str]) -> bool:
        # One listing answers for a whole folder, which units of one video share.
        folders = {os.path.dirname(path) for path in files}
        if not folders <= set(self._listed):
            self._listed = {folder: set(self.location.list(folder)) for folder in folders}
        return all(path in self._listed[os.path.dirname(path)] for path in files)


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
