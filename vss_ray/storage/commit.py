"""How a clip becomes done, whole or not at all.

``masks/<video_id>/<clip_id>.mkv`` is written first, ``commits/<video_id>/<clip_id>.parquet`` second, each atomically.
The commit record is that one Parquet file: the clip's frame rows, and its clip row as JSON under ``vss.clip`` in the
schema's metadata. So:

- the record IS the commit: a clip is done if and only if it exists, and then its mask exists too;
- killed anywhere before the record, a clip is not done; its mask, if any, is replaced when the clip is made anew;
- nothing is locked: two workers that finish one clip write the same paths, and one of them is last;
- which clips are done is one listing, no file is opened for it;
- the same input gives the same bytes, and the record holds the mask's size and SHA-256;
- everything else in the output, tables included, can be made again from the records.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.errors import StorageError
from vss_ray.storage.location import Location

CLIP_KEY = b"vss.clip"
RECORDS, MASKS = "commits", "masks"


def commit(
    location: Location, video_id: str, clip_id: str, mask: bytes, frames: pa.Table, clip_row: dict[str, Any]
) -> dict[str, Any]:
    """Store a finished clip.

    Args:
        location: OUT.
        video_id: One component of a path.
        clip_id: One component of a path.
        mask: The label video.
        frames: Frame rows.
        clip_row: Values that JSON can hold, NaN not among them.

    Returns:
        The clip row as stored: with ``mask_path`` (relative to OUT), ``mask_bytes`` and ``mask_sha256``.

    Raises:
        StorageError: OUT cannot be written; the clip is then not done.
    """
    mask_path = _path(MASKS, video_id, clip_id, "mkv")
    row = {
        **clip_row,
        "mask_path": mask_path,
        "mask_bytes": len(mask),
        "mask_sha256": hashlib.sha256(mask).hexdigest(),
    }
    metadata = {CLIP_KEY: json.dumps(row, sort_keys=True, allow_nan=False)}
    sink = pa.BufferOutputStream()
    pq.write_table(frames.replace_schema_metadata(metadata), sink, compression="zstd")
    location.write(mask_path, mask)
    location.write(_path(RECORDS, video_id, clip_id, "parquet"), sink.getvalue().to_pybytes())
    return row


def committed(location: Location) -> set[tuple[str, str]]:
    """(video_id, clip_id) of every clip that is done."""
    parts = (path.removesuffix(".parquet").split("/") for path in location.list(RECORDS) if path.endswith(".parquet"))
    return {(part[1], part[2]) for part in parts if len(part) == 3}


def read_record(location: Location, video_id: str, clip_id: str) -> tuple[dict[str, Any], pa.Table]:
    """The clip row and the frame rows of a clip that is done.

    Raises:
        MissingError: The clip is not done.
        StorageError: OUT cannot be read, or the file is not what ``commit`` wrote.
    """
    path = _path(RECORDS, video_id, clip_id, "parquet")
    data = location.read(path)
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        row = json.loads((table.schema.metadata or {})[CLIP_KEY])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise StorageError(
            f"{location.url(path)} is no commit record ({type(error).__name__}, {len(data)} bytes); "
            "delete it and run again, its clip is then made anew"
        ) from error
    return row, table.replace_schema_metadata(None)


def read_mask(location: Location, clip_row: dict[str, Any]) -> bytes:
    """The label video of a clip row, checked against its SHA-256.

    Raises:
        StorageError: It cannot be read, or it is not the one that was committed.
    """
    data = location.read(clip_row["mask_path"])
    if hashlib.sha256(data).hexdigest() != clip_row["mask_sha256"]:
        raise StorageError(
            f"{location.url(clip_row['mask_path'])} is not the mask that was committed: {len(data)} bytes, wanted "
            f"{clip_row['mask_bytes']} with another SHA-256; delete the clip's commit record and run again"
        )
    return data


def _path(folder: str, video_id: str, clip_id: str, suffix: str) -> str:
    if "/" in video_id or "/" in clip_id:
        raise ValueError(f"{video_id = }, {clip_id = }; wanted one component of a path each")
    return f"{folder}/{video_id}/{clip_id}.{suffix}"
