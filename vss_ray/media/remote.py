"""Files that are not on this machine: telling them apart, opening them, and saying what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import fsspec.core

from vss_ray.addresses import without_secrets
from vss_ray.errors import StorageError

BLOCK = 4 << 20
"""Bytes of one request while reading ahead."""


def is_remote(source: str) -> bool:
    """Whether ``source`` is a URL rather than a path of this machine."""
    return "://" in source


class RemoteFile:
    """A seekable file that reads ahead; after its first error, which it raises, it only says that it has ended.

    FFmpeg asks again and again after an error, and each time the storage would wait and try anew.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._failed = False

    def read(self, size: int = -1) -> bytes:
        """As a file does."""
        if self._failed:
            return b""
        try:
            return self._file.read(size)
        except BaseException:
            self._failed = True
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file does."""
        return self._file.tell()


@contextmanager
def open_remote(source: str) -> Iterator[RemoteFile]:
    """Open a URL that fsspec knows; raises ``storage_errors()``."""
    filesystem, path = fsspec.core.url_to_fs(source)
    with filesystem.open(path, "rb", block_size=BLOCK, cache_type="readahead") as file:
        yield RemoteFile(file)


def storage_errors() -> tuple[type[BaseException], ...]:
    """What a file system can raise; botocore's errors are no OSError, and only exist where botocore is loaded."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError,) if botocore is None else (OSError, botocore.BotoCoreError, botocore.ClientError)


def storage_error(source: str, error: BaseException) -> StorageError:
    """The same failure as one sentence that names the next step."""
    text = without_secrets(" ".join(str(error).split())) or type(error).__name__
    source = without_secrets(source)
    if isinstance(error, FileNotFoundError):
        return StorageError(f"{source}: does not exist; check the path or the address")
    if isinstance(error, PermissionError):
        return StorageError(f"{source}: may not be read ({text}); check the keys, or the rights of this user")
    return StorageError(f"{source}: {text}; check the address, the endpoint and the network")
