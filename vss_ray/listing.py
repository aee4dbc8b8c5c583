"""The files below a folder of any storage, page by page: of a million of them only what is asked for is kept.

fsspec's ``find`` keeps a dictionary for every object and, of every folder, a listing beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def files_below(filesystem: Any, top: str, **options: Any) -> Iterator[tuple[str, int]]:
    """(name, bytes) of every file below a folder, to its depths, in no order that is promised.

    Args:
        filesystem: Of fsspec.
        top: The folder, as the file system itself names it, without a protocol.
        options: For ``find``, where the storage is not S3.

    Raises:
        OSError: As the file system does; a folder that is not there may just as well have no files.
    """
    if hasattr(filesystem, "call_s3"):
        yield from _pages(filesystem, top)
        return
    for name, info in filesystem.find(top, detail=True, **options).items():
        if info["type"] == "file":
            yield name, info["size"] or 0


def _pages(filesystem: Any, top: str) -> Iterator[tuple[str, int]]:
    """A thousand objects a request; those whose names end in a slash only stand for folders."""
    bucket, key, _ = filesystem.split_path(top.rstrip("/"))
    request = {"Bucket": bucket, "Prefix": f"{key}/" if key else ""}
    more = True
    while more:
        page = filesystem.call_s3("list_objects_v2", **request)
        for found in page.get("Contents", ()):
            if not found["Key"].endswith("/"):
                yield f"{bucket}/{found['Key']}", found["Size"]
        more = page.get("IsTruncated", False)
        request["ContinuationToken"] = page.get("NextContinuationToken", "")
