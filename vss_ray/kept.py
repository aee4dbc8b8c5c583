"""What takes seconds to make and is the same every time, kept between processes in a folder of this machine.

``$XDG_CACHE_HOME/vss-ray``, else ``~/.cache/vss-ray``. Nobody depends on it: a folder that cannot be written, a file
that is damaged or gone, another process that makes the same at the same time cost time and nothing else. A file appears
whole or not at all, and its digest stands in front of it. Another version of this package's networks, or of what they
are made with, keeps its own. What was not used for longest goes when there is too much.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

LIMIT_BYTES = 2 * 2**30
SUFFIX, UNFINISHED = ".kept", ".partial"
ABANDONED_SECONDS = 3600
"""Age at which an unfinished file has nobody left who writes it."""
DIGEST_BYTES = 16
VERSIONED = ("torch", "openvino", "nncf", "torchvision", "transformers")
SOURCES = ("networks", "segmenters", "engines", "inference")
"""Folders of the package whose code decides what is kept."""


def cache_folder() -> Path:
    """Where things are kept on this machine.

    Raises:
        RuntimeError: There is no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vss-ray"


def recall(kind: str, key: Mapping[str, Any], make: Callable[[], bytes]) -> bytes:
    """What ``make`` gives, from the folder if somebody made it before.

    Args:
        kind: Subfolder.
        key: All that the answer depends on, this package and those of ``VERSIONED`` left aside; JSON.
        make: Called if need be; what it raises is passed on, and nothing is kept.
    """
    try:
        folder = cache_folder() / kind
    except RuntimeError:
        return make()
    told = json.dumps({**key, "made by": _makers()}, sort_keys=True)
    path = folder / f"{_digest(told.encode()).hex()}{SUFFIX}"
    content = _read(path)
    if content is None:
        content = make()
        with suppress(OSError):
            _write(path, content)
            _make_room(folder)
    return content


def _read(path: Path) -> bytes | None:
    with suppress(OSError):
        stored = path.read_bytes()
        content = stored[DIGEST_BYTES:]
        if _digest(content) == stored[:DIGEST_BYTES]:
            with suppress(OSError):  # a folder that others write may be read all the same
                os.utime(path)
            return content
    return None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.stem}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        unfinished.write_bytes(_digest(content) + content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    found = [(path, path.stat()) for path in folder.iterdir() if path.suffix in (SUFFIX, UNFINISHED)]
    total = sum(status.st_size for _, status in found)
    for path, status in sorted(found, key=lambda each: each[1].st_mtime):
        is_abandoned = path.suffix == UNFINISHED and time.time() - status.st_mtime > ABANDONED_SECONDS
        if is_abandoned or (total > LIMIT_BYTES and path.suffix == SUFFIX):
            path.unlink(missing_ok=True)
            total -= status.st_size


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


@functools.cache
def _makers() -> dict[str, str]:
    code = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for folder in SOURCES:
        for path in sorted(Path(__file__).with_name(folder).glob("*.py")):
            code.update(f"{folder}/{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    versions = {name: version for name in VERSIONED if (version := _version(name))}
    return {**versions, "machine": platform.machine(), "code": code.hexdigest()}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
