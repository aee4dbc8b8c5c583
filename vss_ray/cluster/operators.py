"""The three stages as what Ray Data calls with batches of rows.

This is the one place that turns an exception into a row.
"""

from __future__ import annotations

import json
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from vss_ray import stages
from vss_ray.clips import Clip
from vss_ray.cluster.rows import Row, Story, join, split
from vss_ray.config import OperatingPoint
from vss_ray.errors import VssError
from vss_ray.frames import Inferred, Prepared
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.methods import Method
from vss_ray.run import Failure
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

PREPARED = ("pts_seconds", "picture_of_frame", "keyframes", "network_pictures", "pixels")
"""Fields of ``Prepared`` that are arrays; those of ``motion`` follow under their own names."""

NO_PIXELS = np.zeros((0, 0, 0, 3), np.uint8)


class Prepare:
    """First stage: decode a clip once, keep what later stages need."""

    def __init__(self, point: OperatingPoint) -> None:
        self._point = point
        self._method: Method | None = None

    def __call__(self, manifest: pa.Table) -> pa.Table:
        """Rows of the manifest to rows of prepared clips."""
        return join([self._prepare(Clip.from_row(row)) for row in manifest.to_pylist()])

    def _prepare(self, clip: Clip) -> Row:
        return contained("prepare", Row(clip, Story(), {}), self._run)

    def _run(self, row: Row) -> Row:
        if self._method is None:  # built in the worker: OpenCV's objects do not travel
            self._method = stages.build_method(self._point)
        stats = DecodeStats()
        prepared = self._method.prepare(row.clip, decode(row.clip, stats=stats))
        arrays = {name: getattr(prepared, name) for name in PREPARED} | prepared.motion
        return Row(row.clip, row.story.with_costs(decoded_frames=stats.decoded), arrays)

    def __getstate__(self) -> dict[str, Any]:
        return {"_point": self._point, "_method": None}


class Infer:
    """Second stage: an actor that holds the network.

    Args:
        point: Resolved.
        device: ``cpu`` or ``cuda``.
        batch: Pictures that the network sees at once.
        sizes: (height, width) of its inputs that are to be expected: compiled here, before the first clip arrives.
    """

    def __init__(self, point: OperatingPoint, device: str, batch: int, sizes: list[tuple[int, int]]) -> None:
        self._batch = batch
        self._broken: Exception | None = None
        try:
            self._segmenter = stages.build_segmenter(point, threads=1, device=device)
            for height, width in sizes:
                self._segmenter(np.zeros((batch, height, width, 3), np.uint8))
        except Exception as error:  # part of the boundary: an actor that dies is started again and again
            self._broken = error

    def __call__(self, table: pa.Table) -> pa.Table:
        """Rows of prepared clips to rows that hold scores in place of pixels."""
        return join([contained("infer", row, self._run) for row in split(table)])

    def _run(self, row: Row) -> Row:
        if self._broken is not None:
            raise self._broken
        (inferred,) = stages.infer(self._segmenter, [prepared_of(row)], self._batch)
        arrays = {name: array for name, array in row.arrays.items() if name != "pixels"}
        return replace(row, arrays={**arrays, "scores": inferred.scores})


class Finish:
    """Third stage: labels, mask file, commit record."""

    def __init__(self, point: OperatingPoint, location: Location) -> None:
        self._point, self._location = point, location
        self._method: Method | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Rows of scores to rows without arrays: what is left to tell."""
        return join([contained("finish", row, self._run) for row in split(table)])

    def _run(self, row: Row) -> Row:
        if self._method is None:
            self._method = stages.build_method(self._point)
        started = time.process_time()
        clip, costs = row.clip, row.story.costs
        finished = stages.finish_clip(
            self._point, self._method, prepared_of(row), Inferred(scores=row.arrays["scores"])
        )
        record = {
            "video_id": clip.video_id,
            "clip_id": clip.clip_id,
            "source": clip.source,
            **{name: getattr(clip, name) for name in ("start", "stop", "start_seconds", "stop_seconds")},
            **{name: getattr(clip, name) for name in ("width", "height", "size_bytes")},
            **finished.facts,
            "prepare_seconds": costs["prepare_seconds"],
            "infer_seconds": costs["infer_seconds"],
            "finish_seconds": time.process_time() - started,
            "prepared_bytes": int(costs["prepare_bytes"]),
            "inferred_bytes": int(costs["infer_bytes"]),
            "peak_memory_bytes": int(max(costs["prepare_memory"], costs["infer_memory"], _peak_memory())),
            "decoded_frames": int(costs["decoded_frames"]),
            "embedding": None,
        }
        record = commit(self._location, clip.video_id, clip.clip_id, finished.mask, finished.frames, record)
        numbers = {name: float(value) for name, value in record.items() if isinstance(value, (int, float))}
        return Row(clip, replace(row.story.with_costs(**numbers), audits=json.loads(record["audit"] or "[]")), {})

    def __getstate__(self) -> dict[str, Any]:
        return {"_point": self._point, "_location": self._location, "_method": None}


def contained(stage: str, row: Row, run: Callable[[Row], Row]) -> Row:
    """Run one stage on one clip; whatever goes wrong becomes the clip's failure and costs nothing else.

    Also the place where a clip's costs are read off: CPU seconds of this process, bytes that go on, memory.
    """
    if row.story.failure is not None:
        return row
    began, started = time.time(), time.process_time()
    try:
        done = run(row)
    except Exception as error:  # the boundary: a clip that fails is a row, not an end of the run
        failure = Failure(
            video_id=row.clip.video_id,
            clip_id=row.clip.clip_id,
            source=row.clip.source,
            stage=stage,
            error=type(error).__name__,
            message=explained(error),
        )
        return Row(row.clip, replace(row.story, failure=failure), {})
    costs = {
        f"{stage}_began": began,
        f"{stage}_ended": time.time(),
        f"{stage}_seconds": time.process_time() - started,
        f"{stage}_bytes": float(done.num_bytes),
        f"{stage}_memory": float(_peak_memory()),
    }
    return replace(done, story=done.story.with_costs(**costs))


def prepared_of(row: Row) -> Prepared:
    """The prepared clip that a row carries; after inference its pixels are gone."""
    fields = {name: row.arrays.get(name, NO_PIXELS) for name in PREPARED}
    motion = {name: array for name, array in row.arrays.items() if name not in (*PREPARED, "scores")}
    return Prepared(clip=row.clip, **fields, motion=motion)


def explained(error: Exception) -> str:
    """One sentence: an error of ours as it is, any other with the place where it came from."""
    if isinstance(error, VssError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error} ({last.name}, line {last.lineno} of {last.filename.rsplit('/', 1)[-1]})"


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
