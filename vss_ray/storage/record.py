"""A commit record held against what the protocol and the numbers in it allow."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as arrow

compute: Any = arrow  # its functions are made when it is imported: no checker knows them
SHA256 = re.compile(r"[0-9a-f]{64}")
COUNTS = ("width", "height", "num_frames", "num_keyframes", "num_network", "size_bytes", "mask_bytes", "decoded_frames")
TYPES = {
    "video_id": pa.string(),
    "clip_id": pa.string(),
    "frame": pa.int64(),
    "pts_seconds": pa.float64(),
    "is_keyframe": pa.bool_(),
    "key_distance": pa.int32(),
    "unreliable": pa.float32(),
    "pass": pa.string(),
}
"""Of the columns that whoever knows nothing of classes can check."""


def check_record(row: dict[str, Any], frames: pa.Table, own: dict[str, str]) -> None:
    """Refuse a record that no commit wrote there.

    Args:
        row: The clip row.
        frames: The frame rows.
        own: What the record's place says: ``video_id``, ``clip_id``, ``mask_path``, ``pass``.

    Raises:
        ValueError: What is wrong; one sentence.
    """
    for name, value in own.items():
        if row.get(name, value) != value:
            raise ValueError(f"{name} is {row[name]!r}, its place says {value!r}")
    if not SHA256.fullmatch(str(row["mask_sha256"])):
        raise ValueError("mask_sha256 is no SHA-256")
    for name in COUNTS:
        value = row.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{name} is {value!r}, wanted a number from 0 on")
    if wrong := [name for name, value in row.items() if isinstance(value, float) and not math.isfinite(value)]:
        raise ValueError(f"{wrong[0]} is no finite number")
    _check_frames(frames, own)
    if {"start", "stop"} <= row.keys() and len(frames):
        first, last = (compute.min_max(frames["frame"]).as_py()[name] for name in ("min", "max"))
        if not 0 <= row["start"] <= first <= last < row["stop"]:
            raise ValueError(f"its frames {first} to {last} are not those from {row['start']} to {row['stop']}")


def _check_frames(frames: pa.Table, own: dict[str, str]) -> None:
    for name, kind in TYPES.items():
        if name not in frames.column_names:
            continue
        column = frames[name]
        if column.type != kind or column.null_count:
            raise ValueError(f"column {name}: got {column.type} with {column.null_count} nulls, wanted {kind} and none")
        if name in own and len(frames) and column.unique().to_pylist() != [own[name]]:
            raise ValueError(f"column {name} does not say {own[name]!r}")
    numbers = frames["frame"].to_numpy()
    if len(numbers) and (numbers[0] < 0 or (numbers[1:] <= numbers[:-1]).any()):
        raise ValueError("its frames do not ascend")
    if (
        "pts_seconds" in frames.column_names
        and not compute.all(compute.is_finite(frames["pts_seconds"]), min_count=0).as_py()
    ):
        raise ValueError("pts_seconds holds what is no number")
