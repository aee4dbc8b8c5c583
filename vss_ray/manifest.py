"""The plan of a run as it is stored, held against what a plan can be before anybody works by it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as arrow

from vss_ray.addresses import check_address
from vss_ray.clips import ID

MANIFEST_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("video_id", "clip_id", "source")),
        *((name, pa.int64()) for name in ("size_bytes", "width", "height", "rotation", "start", "stop")),
        *((name, pa.float64()) for name in ("start_seconds", "stop_seconds")),
        *((name, pa.int64()) for name in ("first_pts", "last_pts", "origin_pts", "seek_pts", "num_packets")),
        *((name, pa.list_(pa.int64())) for name in ("coarse_frames", "coarse_pts")),
        *((name, pa.int64()) for name in ("stream_index", "num_video_streams")),
        *((name, pa.string()) for name in ("sample_aspect_ratio", "damaged")),
    ]
)

compute: Any = arrow  # its functions are made when it is imported: no checker knows them
OPTIONAL = ("first_pts", "last_pts", "seek_pts", "sample_aspect_ratio", "damaged")
LARGEST = 2**31 - 1
"""Width or height, pixels."""


def check_plan(plan: pa.Table) -> None:
    """Refuse a table of clips that no planning made.

    Args:
        plan: With the columns of ``Clip`` and ``clip_id``, of the right types.

    Raises:
        ValueError: Which row, and what is wrong with it.
    """
    for name in plan.column_names:
        if name not in OPTIONAL:
            _all(plan[name].is_valid(), f"{name} is missing")
    start, stop = plan["start"], plan["stop"]
    _all(compute.match_substring_regex(plan["video_id"], f"^{ID}$"), "video_id is none")
    _all(compute.and_(compute.greater_equal(start, 0), compute.less(start, stop)), "start and stop hold no frame")
    _all(compute.equal(plan["clip_id"], _clip_ids(start, stop)), "clip_id is not that of its frames")
    for name, least in {"size_bytes": 0, "width": 1, "height": 1, "num_packets": 1, "stream_index": 0}.items():
        _all(compute.greater_equal(plan[name], least), f"{name} is less than {least}")
    for name in ("width", "height"):
        _all(compute.less_equal(plan[name], LARGEST), f"{name} is more than {LARGEST}")
    _all(compute.is_in(plan["rotation"], pa.array([0, 90, 180, 270])), "rotation is no quarter turn")
    begin, end = plan["start_seconds"], plan["stop_seconds"]
    _all(compute.and_(compute.is_finite(begin), compute.is_finite(end)), "its times are no numbers")
    _all(compute.less_equal(begin, end), "it ends before it begins")
    _check_coarse(plan)
    _check_sources(plan["source"].unique().to_pylist())
    keys = plan.group_by(["video_id", "clip_id"], use_threads=False).aggregate([([], "count_all")])
    if len(keys) < len(plan):
        raise ValueError("a clip stands twice")


def _clip_ids(start: pa.ChunkedArray, stop: pa.ChunkedArray) -> pa.ChunkedArray:
    """See ``Clip.clip_id``."""
    padded = (compute.utf8_lpad(each.cast(pa.string()), 9, "0") for each in (start, stop))
    return compute.binary_join_element_wise(*padded, "-")


def _check_coarse(plan: pa.Table) -> None:
    frames, of_row = compute.list_flatten(plan["coarse_frames"]), compute.list_parent_indices(plan["coarse_frames"])
    starts, stops = (plan[name].take(of_row) for name in ("start", "stop"))
    inside = compute.and_(compute.greater_equal(frames, starts), compute.less(frames, stops))
    _all(compute.fill_null(inside, False), "coarse_frames lie outside of it", of_row)


def _check_sources(sources: list[str]) -> None:
    for source in sources:
        if not source or "\0" in source:
            raise ValueError(f"source {source!r} is no path")
        check_address(source)


def _all(holds: pa.ChunkedArray, wrong: str, of_row: pa.ChunkedArray | None = None) -> None:
    if compute.all(holds, min_count=0).as_py():
        return
    index = compute.index(holds, False).as_py()
    row = index if of_row is None else of_row[index].as_py()
    raise ValueError(f"row {row}: {wrong}")
