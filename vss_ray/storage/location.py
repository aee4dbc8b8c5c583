"""A folder on disk, in S3 or wherever fsspec reaches, with writes that are all or nothing.

On disk a write goes to a hidden file beside its target, is flushed and then renamed; in object stores it is one put. A
reader therefore sees the old content, the new content or nothing, never a part. S3 takes its endpoint and keys from the
usual variables (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``). Listings are never cached.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from botocore.exceptions import BotoCoreError, HTTPClientError, NoCredentialsError, PartialCredentialsError
from botocore.exceptions import ConnectionError as BotoConnectionError
from fsspec.core import url_to_fs

from vss_ray.errors import StorageError

UNFINISHED = re.compile(r"(^|/)\.[^/]*\.partial$")
READ_BLOCK_BYTES = 4 * 2**20
COPIED_BYTES = 4 * 2**20


class MissingError(StorageError, FileNotFoundError):
    """There is no such file; also a ``FileNotFoundError``."""


@dataclass(frozen=True)
class Location:
    """A root that paths are relative to. A value: compare it, pickle it, send it to workers.

    Paths are relative, separated by ``/``, without empty parts, ``.`` and ``..``; others raise ``ValueError``.
    Whatever goes wrong outside is a ``StorageError``; a file that is not there is a ``MissingError``.
    """

    root: str
    """Absolute local path, or URL; no slash at its end."""

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Location:
        """The location of a local path or a URL such as ``s3://bucket/folder``; nothing is touched yet.

        Raises:
            StorageError: No filesystem is known for such a URL, or it names no bucket.
        """
        text = os.fspath(url)
        if match := re.match(r"(file|local)://", text):
            text = text[match.end() :]
        elif "://" in text:
            protocol, _, rest = text.partition("://")
            try:
                fsspec.get_filesystem_class(protocol)
            except (ValueError, ImportError) as error:
                raise StorageError(f"{_shown(text)} cannot be opened: {error}; use a local path or s3://") from error
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
                _replace(Path(name), data)
            else:
                self._filesystem.pipe_file(name, data)

    def write_file(self, path: str, file: Path) -> None:
        """The same with the content of a file on this machine, of any size."""
        name = self._name(path)
        with self._guard("write", path):
            if self._is_local:
                _replace(Path(name), file)
            else:
                self._filesystem.put_file(str(file), name)

    def exists(self, path: str) -> bool:
        """Whether there is such a file; a folder is none."""
        name = self._name(path)
        with self._guard("look for", path):
            try:
                return self._filesystem.info(name)["type"] == "file"
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return False

    def size(self, path: str) -> int:
        """Bytes."""
        name = self._name(path)
        with self._guard("look for", path):
            return self._filesystem.info(name)["size"]

    def list(self, prefix: str = "") -> list[str]:
        """All files below the folder ``prefix``, sorted, relative to the root; unfinished writes are left out."""
        top = self._name(prefix) if prefix else self._top
        cut = len(self._top.rstrip("/")) + 1
        with self._guard("list", prefix):
            try:
                # On disk fsspec passes over folders that it may not read, unless told otherwise.
                options: dict[str, Any] = {"on_error": "raise"} if self._is_local else {}
                found: Any = self._filesystem.find(top, detail=True, **options)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return []
        return sorted(name[cut:] for name in found if found[name]["type"] == "file" and not UNFINISHED.search(name))

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
        return f"{self._top.rstrip('/')}/{_checked(path)}"

    @contextmanager
    def _guard(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, BotoCoreError, ValueError) as error:
            if isinstance(error, StorageError):
                raise
            where = _shown(self.url(path) if path else self.root)
            if isinstance(error, FileNotFoundError) and _code(error) != "NoSuchBucket" and verb != "write":
                raise MissingError(f"cannot {verb} {where}: it does not exist; check the path") from error
            reason, remedy = _explain(error, self._is_local)
            raise StorageError(f"cannot {verb} {where}: {reason}; {remedy}") from error


def _checked(path: str) -> str:
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no relative path; wanted parts separated by '/', none empty, '.' or '..'")
    return path


def _replace(target: Path, content: bytes | Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        with unfinished.open("xb") as file:
            if isinstance(content, Path):
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, COPIED_BYTES)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name outlives a power cut too, and in the order of the writes
    finally:
        os.close(folder)


def _shown(url: str) -> str:
    return re.sub(r"://[^/@]*@", "://", url)


def _code(error: BaseException) -> str:
    """S3's own name of what went wrong, or nothing."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code", "")


def _explain(error: Exception, is_local: bool) -> tuple[str, str]:
    """Why, and what to do."""
    keys = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if _code(error) == "NoSuchBucket":
        return "the bucket does not exist", "create it or correct its name"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "there are no credentials", keys
    if isinstance(error, BotoConnectionError | HTTPClientError | ConnectionError | TimeoutError):
        return "the endpoint cannot be reached", "check AWS_ENDPOINT_URL and the network"
    if isinstance(error, PermissionError):
        if is_local:
            return "permission denied", "choose a folder that is yours, or change its rights"
        return f"access is denied ({_code(error) or 'forbidden'})", f"{keys}, and what they may do in this bucket"
    if isinstance(error, FileNotFoundError):
        return "its folder cannot be made", "choose a folder that is yours"
    if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
        return "a file stands where a folder belongs, or the reverse", "choose another path"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no space left", "make room"
    reason = _shown(" ".join(str(error).split()))[:300] or type(error).__name__
    return reason, "check the path" if is_local else "check the path and AWS_ENDPOINT_URL, then try again"
