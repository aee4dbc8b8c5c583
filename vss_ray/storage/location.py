"""A folder on disk, in S3 or wherever fsspec reaches, with writes that are all or nothing.

On disk a write goes to a hidden file beside its target, is flushed and then renamed; in object stores it is one put. A
reader therefore sees the old content, the new content or nothing, never a part. S3 takes its endpoint and keys from the
usual variables (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``). Listings are never cached.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from botocore.exceptions import BotoCoreError
from fsspec.core import url_to_fs

from vss_ray.addresses import check_address, without_secrets
from vss_ray.errors import StorageError
from vss_ray.listing import files_below
from vss_ray.storage.reasons import code, explain

UNFINISHED = re.compile(r"(^|/)\.[^/]*\.partial$")
READ_BLOCK_BYTES = 4 * 2**20
COPIED_BYTES = 4 * 2**20


class MissingError(StorageError, FileNotFoundError):
    """There is no such file; also a ``FileNotFoundError``."""


@dataclass(frozen=True)
class Location:
    """A root that paths are relative to. A value: compare it, pickle it, send it to workers.

    Paths are relative, separated by ``/``, without empty parts, ``.`` and ``..``; others raise ``ValueError``. On disk
    the root may be a link; links below it that lead out of it are not followed.
    Whatever goes wrong outside is a ``StorageError``; a file that is not there is a ``MissingError``.
    """

    root: str
    """Absolute local path, or URL; no slash at its end."""

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Location:
        """The location of a local path or a URL such as ``s3://bucket/folder``; nothing is touched yet.

        Raises:
            StorageError: No filesystem is known for such a URL, it names no bucket, or it carries a key.
        """
        text = os.fspath(url)
        try:
            check_address(text)
        except ValueError as error:
            raise StorageError(str(error)) from None
        if match := re.match(r"(file|local)://", text):
            text = text[match.end() :]
        elif "://" in text:
            protocol, _, rest = text.partition("://")
            try:
                fsspec.get_filesystem_class(protocol)
            except (ValueError, ImportError) as error:
                raise StorageError(f"{text} cannot be opened: {error}; use a local path or s3://") from error
            if not rest.strip("/") and protocol != "memory":
                raise StorageError(f"{text} names no bucket; wanted {protocol}://BUCKET/FOLDER")
            return cls(f"{protocol}://{rest.rstrip('/')}")
        return cls(os.path.abspath(os.path.expanduser(text)))

    def url(self, path: str) -> str:
        """The full path or URL of a file."""
        return f"{self.root.rstrip('/')}/{_checked(path)}"

    def read(self, path: str) -> bytes:
        """The whole file."""
        name = self._name(path)
        with self._guard("read", path):
            return cast(bytes, self._filesystem.cat_file(name))

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file, all or nothing; folders are made as needed."""
        name = self._name(path)
        with self._guard("write", path):
            if self._is_local:
                _replace({Path(name): data})
            else:
                self._filesystem.pipe_file(name, data)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file, all or nothing, unless there is one; whether it was written."""
        name = self._name(path)
        with self._guard("write", path):
            try:
                if self._is_local:
                    _replace({Path(name): data}, _place_new)
                else:
                    self._filesystem.pipe_file(name, data, mode="create")
            except OSError as error:
                if isinstance(error, FileExistsError) or code(error) == "PreconditionFailed":
                    return False
                if code(error) != "NotImplemented":
                    raise
                if self.exists(path):  # a server that knows no conditions: the best that can be done
                    return False
                self._filesystem.pipe_file(name, data)
        return True

    def write_files(self, files: Mapping[str, Path]) -> None:
        """The same with the content of files on this machine, of any size.

        On disk all of them are there in full before the first one takes its place; in object stores they are replaced
        one after the other.
        """
        names = {path: self._name(path) for path in files}
        with self._guard("write", next(iter(files))):
            if self._is_local:
                _replace({Path(names[path]): file for path, file in files.items()})
            else:
                for path, file in files.items():
                    self._filesystem.put_file(str(file), names[path])

    def exists(self, path: str) -> bool:
        """Whether there is such a file; a folder is none."""
        name = self._name(path)
        with self._guard("look for", path):
            try:
                return self._filesystem.info(name)["type"] == "file"
            except FileNotFoundError as error:
                if code(error) == "NoSuchBucket":
                    raise
                return False

    def size(self, path: str) -> int:
        """Bytes."""
        name = self._name(path)
        with self._guard("look for", path):
            return self._filesystem.info(name)["size"]

    def list(self, prefix: str = "") -> list[str]:
        """All files below the folder ``prefix``, sorted, relative to the root; unfinished writes are left out."""
        return sorted(self.walk(prefix))

    def walk(self, prefix: str = "") -> Iterator[str]:
        """The same one by one, in no order."""
        top = self._name(prefix) if prefix else self._top
        cut = len(self._top.rstrip("/")) + 1
        # On disk fsspec passes over folders that it may not read, unless told otherwise.
        options: dict[str, Any] = {"on_error": "raise"} if self._is_local else {}
        with self._guard("list", prefix):
            try:
                for name, _ in files_below(self._filesystem, top, **options):
                    if not UNFINISHED.search(name):
                        yield name[cut:]
            except FileNotFoundError as error:
                if code(error) == "NoSuchBucket":
                    raise

    def open_input(self, path: str) -> BinaryIO:
        """A seekable file object for reading; close it. Errors while it is read are ``OSError``."""
        name = self._name(path)
        with self._guard("read", path):
            return cast(BinaryIO, self._filesystem.open(name, "rb", block_size=READ_BLOCK_BYTES))

    def delete(self, path: str) -> None:
        """Remove a file; one that is not there is fine."""
        name = self._name(path)
        with self._guard("delete", path), suppress(FileNotFoundError):
            self._filesystem.rm_file(name)

    def check_writable(self) -> None:
        """Write and delete a small file.

        Raises:
            StorageError: That failed; the message says why and what to do.
        """
        probe = f".probe-{secrets.token_hex(8)}.partial"
        self.write(probe, b"")
        self.delete(probe)

    @property
    def _is_local(self) -> bool:
        return "://" not in self.root

    @property
    def _filesystem(self) -> fsspec.AbstractFileSystem:
        # fsspec keeps one instance per thread and settings and knows about forks, so none is kept here.
        if self._is_local:
            return fsspec.filesystem("file")
        return url_to_fs(self.root, use_listings_cache=False)[0]

    @property
    def _top(self) -> str:
        return self.root if self._is_local else cast(str, self._filesystem._strip_protocol(self.root))

    def _name(self, path: str) -> str:
        name = f"{self._top.rstrip('/')}/{_checked(path)}"
        if self._is_local:
            top, target = os.path.realpath(self.root), os.path.realpath(name)
            if os.path.commonpath([top, target]) != top:
                raise StorageError(
                    f"{name} leads to {target}, out of {self.root}: links that do are not followed; take it away, or "
                    "put the whole folder there"
                )
        return name

    @contextmanager
    def _guard(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, BotoCoreError, ValueError) as error:
            if isinstance(error, StorageError):
                raise
            where = without_secrets(self.url(path) if path else self.root)
            if isinstance(error, FileNotFoundError) and code(error) != "NoSuchBucket" and verb != "write":
                raise MissingError(f"cannot {verb} {where}: it does not exist; check the path") from error
            reason, remedy = explain(error, self._is_local)
            raise StorageError(f"cannot {verb} {where}: {reason}; {remedy}") from error


def _checked(path: str) -> str:
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no relative path; wanted parts separated by '/', none empty, '.' or '..'")
    return path


def _place_new(unfinished: Path, target: Path) -> None:
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise
    except OSError:  # no links on this file system
        if target.exists():
            raise FileExistsError(target) from None
        unfinished.replace(target)


def _replace(contents: Mapping[Path, bytes | Path], place: Callable[[Path, Path], object] = os.replace) -> None:
    """Write files beside their targets, flush them, and put one after the other in its place."""
    unfinished = {target: target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial") for target in contents}
    try:
        for target, content in contents.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            with unfinished[target].open("xb") as file:
                if isinstance(content, Path):
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file, COPIED_BYTES)
                else:
                    file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for target, path in unfinished.items():
            place(path, target)
    finally:
        for path in unfinished.values():
            with suppress(OSError):
                path.unlink()
    for parent in {target.parent for target in contents}:
        folder = os.open(parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name outlives a power cut too, and in the order of the writes
        finally:
            os.close(folder)
