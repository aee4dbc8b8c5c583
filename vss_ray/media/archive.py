"""What SOURCE means: a file, a folder, a glob or a list, here or in object storage, as a sorted list of files."""

from __future__ import annotations

import glob
import logging
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import fsspec.core

from vss_ray.addresses import check_address, without_secrets
from vss_ray.errors import StorageError, VideoError
from vss_ray.listing import files_below
from vss_ray.media.remote import is_remote, storage_error, storage_errors

log = logging.getLogger(__name__)

# fmt: off
SUFFIXES = frozenset({
    ".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts", ".m2ts", ".mpg", ".mpeg", ".mp4v", ".m4v", ".wmv", ".flv", ".vob",
    ".ivf", ".gif", ".3gp", ".ogv", ".y4m",
})
# fmt: on
"""What counts as video inside a folder; a file that is named itself is taken whatever it is called."""
LISTS = (".txt", ".lst")
MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, kw_only=True, order=True, slots=True)
class ArchiveEntry:
    """One file of the archive."""

    relative_path: str
    """Path relative to SOURCE, separated by ``/``; the video's name is made from it."""
    url: str
    """Absolute path, or URL."""
    size_bytes: int


def list_videos(source: str) -> list[ArchiveEntry]:
    """The videos of an archive, every file once, sorted by their path relative to it.

    Inside folders hidden files are skipped, and links that lead out of the folder.

    Args:
        source: A file, a folder (searched to its depths), a glob, or a ``.txt`` or ``.lst`` file that lists one file a
            line, relative to itself; each of them a path or a URL that fsspec knows.

    Raises:
        VideoError: There is no video in it.
        StorageError: It does not exist, it may not be read, or its address carries a key.
    """
    source = source.removeprefix("file://")
    _check_address(source)
    try:
        entries = _remote(source) if is_remote(source) else _local(os.path.abspath(os.path.expanduser(source)))
    except storage_errors() as error:
        raise storage_error(source, error) from error
    except (ValueError, ImportError) as error:
        raise StorageError(
            f"{source}: {without_secrets(str(error))}; wanted a path, or the URL of a storage whose driver is here"
        ) from error
    if not entries:
        raise VideoError(
            f"{source}: holds no video; wanted names that end in {' '.join(sorted(SUFFIXES))}, not hidden, and no links"
            " out of the folder; name a file itself, or list files in a .txt, to take others"
        )
    return sorted(entries)


def _local(path: str) -> list[ArchiveEntry]:
    if os.path.isfile(path):
        return _listed(path, os.path.dirname(path)) if path.endswith(LISTS) else [_local_entry(path, path)]
    if os.path.isdir(path):
        return _inside(path, _walk(path), any_suffix=False)
    if MAGIC.search(path):
        found = (name for name in glob.iglob(path, recursive=True) if os.path.isfile(name))
        return _inside(_fixed_part(path), found, any_suffix=_names_suffix(path))
    raise FileNotFoundError(path)


def _walk(root: str) -> Iterator[str]:
    def complain(error: OSError) -> None:
        log.warning("%s is left out: %s", error.filename, error.strerror)

    for folder, _, names in os.walk(root, onerror=complain):
        yield from (os.path.join(folder, name) for name in names)


def _inside(root: str, paths: Iterable[str], *, any_suffix: bool) -> list[ArchiveEntry]:
    """Of the files found under ``root`` those that are wanted, each real file once."""
    real_root = os.path.join(os.path.realpath(root), "")
    unique: dict[str, ArchiveEntry] = {}
    for path in sorted(paths):
        real = os.path.realpath(path)
        if not _wanted(os.path.relpath(path, root), any_suffix) or real in unique:
            continue
        if not real.startswith(real_root):
            log.warning("%s is left out: it leads to %s, out of %s", path, real, root)
        elif os.path.isfile(real):
            unique[real] = _local_entry(path, root)
    return list(unique.values())


def _local_entry(path: str, root: str) -> ArchiveEntry:
    relative = os.path.basename(path) if path == root else os.path.relpath(path, root)
    return ArchiveEntry(relative_path=relative.replace(os.sep, "/"), url=path, size_bytes=os.path.getsize(path))


def _remote(source: str) -> list[ArchiveEntry]:
    filesystem, path = fsspec.core.url_to_fs(source, use_listings_cache=False)
    if MAGIC.search(path):
        root, any_suffix = _fixed_part(path), _names_suffix(path)
        found = _files(filesystem.glob(path, detail=True))
    elif filesystem.info(path)["type"] == "directory":
        root, found, any_suffix = path, files_below(filesystem, path), False
    elif path.endswith(LISTS):
        return _listed(source, posixpath.dirname(source))
    else:
        root, found, any_suffix = posixpath.dirname(path), _files({path: filesystem.info(path)}), True
    return [
        ArchiveEntry(relative_path=relative, url=filesystem.unstrip_protocol(name), size_bytes=size)
        for name, size in found
        if _wanted(relative := posixpath.relpath(name, root), any_suffix)
    ]


def _files(found: Any) -> Iterator[tuple[str, int]]:
    return ((name, info["size"] or 0) for name, info in found.items() if info["type"] == "file")


def _listed(listing: str, folder: str) -> list[ArchiveEntry]:
    """The files that a text file names, one a line; every line must be there."""
    with fsspec.open(listing, "r", encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip()]
    entries = {}
    for number, line in enumerate(lines, 1):
        _check_address(line, f"{listing}, address {number}: ")
        url = line if is_remote(line) else _join(folder, line)
        filesystem, path = fsspec.core.url_to_fs(url)
        try:
            info = filesystem.info(path)
        except storage_errors() as error:
            raise storage_error(f"{listing}: {url}", error) from error
        if info["type"] != "file":
            raise StorageError(f"{listing}: {url} is a {info['type']}, wanted files, one a line; take it out")
        relative = url if is_remote(url) else os.path.relpath(url, folder)
        entries[url] = ArchiveEntry(
            relative_path=relative.removeprefix(folder + "/"), url=url, size_bytes=info["size"] or 0
        )
    return list(entries.values())


def _check_address(address: str, where: str = "") -> None:
    try:
        check_address(address)
    except ValueError as error:
        raise StorageError(f"{where}{error}") from None


def _join(folder: str, line: str) -> str:
    return posixpath.join(folder, line) if is_remote(folder) else os.path.normpath(os.path.join(folder, line))


def _wanted(relative: str, any_suffix: bool) -> bool:
    parts = relative.replace(os.sep, "/").split("/")
    hidden = any(part.startswith(".") and part not in (".", "..") for part in parts)
    return not hidden and (any_suffix or posixpath.splitext(relative)[1].lower() in SUFFIXES)


def _fixed_part(pattern: str) -> str:
    """The folder in front of the first wildcard."""
    return pattern[: MAGIC.search(pattern).start()].rpartition("/")[0] or "/"  # type: ignore[union-attr]


def _names_suffix(pattern: str) -> bool:
    suffix = posixpath.splitext(pattern)[1]
    return bool(suffix) and not MAGIC.search(suffix)
