"""What killed commands have left behind: unfinished files on disk, uploads in parts in S3, scratch folders."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from botocore.exceptions import BotoCoreError
from fsspec.core import url_to_fs

from vss_ray.storage.location import UNFINISHED, Location

ABANDONED_SECONDS = 3600.0
"""A write that is alive adds something within the hour: a mask or a table takes minutes."""

SCRATCH = ("vss-tables-*", "vss-search-*", "vss-export-*", "vss-ray-*.trace")
"""Folders in which compaction, search and export put what memory does not hold; what workers that died have told."""
SCRATCH_SECONDS = 24 * 3600.0
"""Of a search that somebody reads from may long stand still."""


def sweep(location: Location, seconds: float = ABANDONED_SECONDS) -> int:
    """Delete what nobody has added to for so long, scratch folders of this machine too; what cannot be deleted stays.

    Returns:
        How many of them were in the location.
    """
    _scratch(time.time() - max(seconds, SCRATCH_SECONDS))
    if "://" not in location.root:
        return _files(Path(location.root), time.time() - seconds)
    if location.root.startswith(("s3://", "s3a://")):
        with suppress(OSError, BotoCoreError):  # not every key may list uploads, and not every server can
            return _uploads(location.root, datetime.now(UTC) - timedelta(seconds=seconds))
    return 0


def _files(root: Path, before: float) -> int:
    count = 0
    for folder, _, names in os.walk(root):
        for name in filter(UNFINISHED.search, names):
            with suppress(OSError):
                if os.lstat(path := os.path.join(folder, name)).st_mtime < before:
                    os.unlink(path)
                    count += 1
    return count


def _scratch(before: float) -> None:
    for folder in chain.from_iterable(map(Path(gettempdir()).glob, SCRATCH)):
        with suppress(OSError):
            inside = folder.iterdir() if folder.is_dir() else ()
            if max(path.lstat().st_mtime for path in (folder, *inside)) < before:
                shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


def _uploads(root: str, before: datetime) -> int:
    filesystem: Any = url_to_fs(root)[0]
    bucket, _, prefix = filesystem._strip_protocol(root).partition("/")
    old = [
        upload
        for upload in filesystem.list_multipart_uploads(bucket)
        if upload["Key"].startswith(f"{prefix}/") and upload["Initiated"] < before
    ]
    for upload in old:
        filesystem.abort_mpu(bucket, upload["Key"], upload["UploadId"])
    return len(old)
