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

A clip that the coarse pass made is ``<clip_id>.coarse.mkv`` and ``<clip_id>.coarse.parquet``: other paths than those of
the full pass, so that neither ever overwrites the other and a listing tells them apart. The full one wins wherever both
stand. The coarse files go last (``drop_superseded``): when the full record stands and the tables name its mask, first
the record, then the mask. So at every moment the clip has a record, and every record its mask.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vss_ray.clips import COARSE, FULL, ID, Pass
from vss_ray.documents import read_mapping
from vss_ray.errors import StorageError
from vss_ray.storage.location import Location, MissingError
from vss_ray.storage.parquet import table_of
from vss_ray.storage.record import check_record

CLIP_KEY = b"vss.clip"
PART = re.compile(ID)
OF_MASK = ("mask_path", "mask_bytes", "mask_sha256")
MOST_FRAMES = 10_000_000
"""Of a clip."""
RECORDS, MASKS = "commits", "masks"
SUFFIXES: dict[tuple[str, Pass], str] = {
    (RECORDS, FULL): ".parquet",
    (RECORDS, COARSE): ".coarse.parquet",
    (MASKS, FULL): ".mkv",
    (MASKS, COARSE): ".coarse.mkv",
}


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
        clip_row: Values that JSON can hold, NaN not among them; ``pass`` decides the paths, none means full.

    Returns:
        The clip row as stored: with both ids, ``mask_path`` (relative to OUT), ``mask_bytes`` and ``mask_sha256``.

    Raises:
        StorageError: OUT cannot be written; the clip is then not done.
    """
    of_pass = COARSE if clip_row.get("pass") == COARSE else FULL
    mask_path = _path(MASKS, video_id, clip_id, of_pass)
    row = {
        **clip_row,
        "video_id": video_id,
        "clip_id": clip_id,
        "mask_path": mask_path,
        "mask_bytes": len(mask),
        "mask_sha256": hashlib.sha256(mask).hexdigest(),
    }
    metadata = {CLIP_KEY: json.dumps(row, sort_keys=True, allow_nan=False)}
    sink = pa.BufferOutputStream()
    pq.write_table(frames.replace_schema_metadata(metadata), sink, compression="zstd")
    location.write(mask_path, mask)
    location.write(_path(RECORDS, video_id, clip_id, of_pass), sink.getvalue().to_pybytes())
    return row


def committed(location: Location) -> set[tuple[str, str]]:
    """(video_id, clip_id) of every clip that is done, by whichever pass."""
    return set(passes(location))


def passes(location: Location) -> dict[tuple[str, str], Pass]:
    """The best pass that each clip has been through, by (video_id, clip_id), for every clip that is done."""
    best: dict[tuple[str, str], Pass] = {}
    for key, of_pass in _found(location, RECORDS):
        if of_pass == FULL or key not in best:
            best[key] = of_pass
    return best


def in_full(location: Location) -> set[tuple[str, str]]:
    """(video_id, clip_id) of every clip that is done in full."""
    return {key for key, best in passes(location).items() if best == FULL}


def drop_superseded(location: Location, full: Collection[tuple[str, str]]) -> None:
    """Delete what the coarse pass made of clips that are done in full, leftovers of a killed one included.

    Args:
        location: OUT.
        full: ``in_full`` as it was before the tables were made that are there now: those name the full masks of these
            clips. What a worker that outlived its driver has committed since then waits for the next time.
    """
    done = set()
    coarse: list[tuple[str, tuple[str, str]]] = []
    for key, of_pass in _found(location, RECORDS):
        if of_pass == COARSE:
            coarse.append((RECORDS, key))
        elif key in full:
            done.add(key)
    coarse += [(MASKS, key) for key, of_pass in _found(location, MASKS) if of_pass == COARSE]
    for folder, key in coarse:
        if key in done:
            location.delete(_path(folder, *key, COARSE))


def read_record(location: Location, video_id: str, clip_id: str) -> tuple[dict[str, Any], pa.Table]:
    """The clip row and the frame rows of a clip that is done; those of the full pass where there are any.

    Raises:
        MissingError: The clip is not done.
        StorageError: OUT cannot be read, or the file is not what ``commit`` wrote.
    """
    of_pass, data = _best_record(location, video_id, clip_id)
    mask_path = _path(MASKS, video_id, clip_id, of_pass)
    try:
        table = table_of(data, most_rows=MOST_FRAMES)
        row = read_mapping((table.schema.metadata or {}).get(CLIP_KEY, b"{}"), OF_MASK)
        own = {"video_id": video_id, "clip_id": clip_id, "mask_path": mask_path, "pass": of_pass}
        check_record(row, table, own)
    except (ValueError, KeyError, TypeError) as error:
        path = _path(RECORDS, video_id, clip_id, of_pass)
        raise StorageError(
            f"{location.url(path)} is no commit record ({error}, {len(data)} bytes); "
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


def _best_record(location: Location, video_id: str, clip_id: str) -> tuple[Pass, bytes]:
    for of_pass in (FULL, COARSE):
        path = _path(RECORDS, video_id, clip_id, of_pass)
        with suppress(MissingError):
            return of_pass, location.read(path)
    path = _path(RECORDS, video_id, clip_id, FULL)  # it may have come, and the coarse one gone, between the two looks
    return FULL, location.read(path)


def _found(location: Location, folder: str) -> Iterator[tuple[tuple[str, str], Pass]]:
    """(video_id, clip_id) and pass of every file in the folder, in no order."""
    for path in location.walk(folder):
        *parents, name = path.split("/")
        for of_pass in (COARSE, FULL):  # the longer suffix first
            if len(parents) == 2 and name.endswith(SUFFIXES[folder, of_pass]):
                # One string a video, however many clips it has.
                yield (sys.intern(parents[1]), name.removesuffix(SUFFIXES[folder, of_pass])), of_pass
                break


def _path(folder: str, video_id: str, clip_id: str, of_pass: Pass) -> str:
    if not (PART.fullmatch(video_id) and PART.fullmatch(clip_id)):
        raise ValueError(f"{video_id = }, {clip_id = }; wanted one component of a path each")
    return f"{folder}/{video_id}/{clip_id}{SUFFIXES[folder, of_pass]}"
