"""The three stages as what Ray Data calls with batches of rows, one by one or all in one.

This is the one place that turns an exception into a row.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray import stages
from vss_ray.addresses import without_secrets
from vss_ray.clips import COARSE, Clip
from vss_ray.cluster.attempts import Attempts, Deadly
from vss_ray.cluster.full_disk import full_disk
from vss_ray.cluster.rows import Row, Story, split
from vss_ray.config import OperatingPoint
from vss_ray.errors import ModelError, VssError
from vss_ray.failures import Failure
from vss_ray.floor import floor_seconds
from vss_ray.frames import Inferred, Prepared
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.methods import Method
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

PREPARED = ("pts_seconds", "picture_of_frame", "keyframes", "network_pictures", "pixels")
"""Fields of ``Prepared`` that are arrays; those of ``motion`` follow under their own names."""
INPUTS, EXTRA = "inputs.", "extra."
"""Prefixes of those of ``Prepared.inputs`` and ``Inferred.extra``."""
SCORES, EMBEDDINGS = "scores", "embeddings"

PLACE = f"{socket.gethostname()}:{os.getpid()}"
"""This process."""

NO_PIXELS = np.zeros((0, 0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Spent:
    """Core seconds on a clip."""

    seconds: float
    floor: float
    """Those among them that nothing can save, see ``vss_ray.floor``."""


class Prepare:
    """First stage: decode a clip once, keep what later stages need.

    Args:
        point: Resolved.
        together: Clips that are handed on together.
        attempts: Told what is worked on; None: nobody is, as outside Ray.
    """

    def __init__(self, point: OperatingPoint, together: int, attempts: Attempts | None = None) -> None:
        self._point, self._together, self._attempts = point, together, attempts
        self._method: Method | None = None

    def __call__(self, manifest: pa.Table) -> Iterator[pa.Table]:
        """Rows of the manifest to rows of prepared clips, each handed on before the next one is begun."""
        clips = [Clip.from_row(row) for row in manifest.to_pylist()]
        for start in range(0, len(clips), self._together):
            yield pa.concat_tables([self._prepare(clip) for clip in clips[start : start + self._together]])

    def _prepare(self, clip: Clip) -> pa.Table:
        return contained("prepare", Row(clip, Story(), {}), self._run, self._attempts)

    def _run(self, row: Row) -> Row:
        if self._method is None:  # built in the worker: OpenCV's objects do not travel
            self._method = stages.build_method(self._point)
        stats = DecodeStats()
        frames = (decode_coarse if self._point.pass_ == COARSE else decode)(
            row.clip, stats=stats, limits=self._point.limits
        )
        prepared = self._method.prepare(row.clip, frames)
        inputs = {f"{INPUTS}{name}": array for name, array in prepared.inputs.items()}
        arrays = {name: getattr(prepared, name) for name in PREPARED} | inputs | prepared.motion
        story = replace(row.story.with_costs(decoded_frames=stats.decoded), met=stats.met(row.clip, self._point.pass_))
        return Row(row.clip, story, arrays)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_method": None}


class Infer:
    """Second stage: an actor that holds the networks.

    Args:
        run: What it computes with.
        device: ``cpu`` or ``cuda``.
        batch: Pictures that the device sees at once.
        sizes: (height, width) of frames that are to be expected: networks are compiled for them here, before the first
            clip arrives.
        attempts: See ``Prepare``.
    """

    def __init__(
        self, run: Run, device: str, batch: int, sizes: list[tuple[int, int]], attempts: Attempts | None = None
    ) -> None:
        self._broken: Exception | None = None
        self._attempts = attempts
        began = time.time()
        try:
            with nullcontext() if attempts is None else attempts.loading():
                self._inference = stages.build_inference(
                    run.point, threads=1, device=device, batch=batch, calibrated=run.calibrated()
                )
                for height, width in sizes:
                    stages.warm_up(run.point, self._inference, height, width)
        except Deadly as error:  # no clip is to blame, and none goes into quarantine
            self._broken = ModelError(str(error))
        except Exception as error:  # part of the boundary: an actor that dies is started again and again
            self._broken = error
        self._load = {"load_began": began, "load_ended": time.time()}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Rows of prepared clips to rows that hold scores in place of pixels; clips advance together."""
        rows = split(table)
        healthy = [i for i, row in enumerate(rows) if row.story.failure is None]
        started, floor = time.process_time(), floor_seconds()
        answers: dict[int, Inferred | Exception] = {}
        for group in self._groups(rows, healthy):
            answers |= zip(group, self._infer([prepared_of(rows[i]) for i in group]), strict=True)
        each = 1 / max(1, len(healthy))
        spent = Spent((time.process_time() - started) * each, (floor_seconds() - floor) * each)
        rows = [replace(row, story=row.story.with_costs(**self._load)) for row in rows]
        return pa.concat_tables(
            [contained("infer", row, partial(_with_scores, answers.get(i)), None, spent) for i, row in enumerate(rows)]
        )

    def _groups(self, rows: list[Row], healthy: list[int]) -> list[list[int]]:
        """Rows that advance together; one that shared its batch with the death of a worker goes alone from then on."""
        if self._attempts is None or len(healthy) < 2:
            return [healthy]
        suspects = self._attempts.suspects("infer", [rows[i].clip for i in healthy])
        alone = [[i] for i in healthy if rows[i].clip in suspects]
        return [[i for i in healthy if [i] not in alone], *alone]

    def _infer(self, clips: list[Prepared]) -> list[Inferred | Exception]:
        if not clips:
            return []
        if self._broken is not None:
            return [self._broken] * len(clips)
        try:
            with _watched(self._attempts, "infer", [prepared.clip for prepared in clips]):
                return list(stages.infer(self._inference, clips))
        except Exception as error:  # the boundary, see contained: one clip must not cost the others
            if len(clips) == 1:
                return [error]
            return [answer for clip in clips for answer in self._infer([clip])]


class Finish:
    """Third stage: labels, mask file, commit record."""

    def __init__(self, point: OperatingPoint, location: Location, attempts: Attempts | None = None) -> None:
        self._point, self._location, self._attempts = point, location, attempts
        self._method: Method | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Rows of scores to rows without arrays: what is left to tell."""
        return pa.concat_tables([contained("finish", row, self._run, self._attempts) for row in split(table)])

    def _run(self, row: Row) -> Row:
        if self._method is None:
            self._method = stages.build_method(self._point)
        started = time.process_time()
        clip, costs = row.clip, row.story.costs
        numbers, damaged, interlaced = (row.story.met[name] for name in ("numbers", "damaged", "interlaced"))
        finished = stages.finish_clip(self._point, self._method, prepared_of(row), inferred_of(row), numbers)
        record = {
            "video_id": clip.video_id,
            "clip_id": clip.clip_id,
            "source": clip.source,
            **{name: getattr(clip, name) for name in ("start", "stop", "start_seconds", "stop_seconds")},
            **{name: getattr(clip, name) for name in ("width", "height", "size_bytes")},
            **{name: getattr(clip, name) for name in ("sample_aspect_ratio", "stream_index", "num_video_streams")},
            "damaged": damaged,
            "interlaced": interlaced,
            **finished.facts,
            "prepare_seconds": costs["prepare_seconds"],
            "infer_seconds": costs["infer_seconds"],
            "finish_seconds": time.process_time() - started,
            "prepared_bytes": int(costs["prepare_bytes"]),
            "inferred_bytes": int(costs["infer_bytes"]),
            "peak_memory_bytes": int(max(costs["prepare_memory"], costs["infer_memory"], _peak_memory())),
            "decoded_frames": int(costs["decoded_frames"]),
        }
        record = commit(self._location, clip.video_id, clip.clip_id, finished.mask, finished.frames, record)
        numbers = {name: float(value) for name, value in record.items() if isinstance(value, (int, float))}
        return Row(clip, replace(row.story.with_costs(**numbers), audits=json.loads(record["audit"] or "[]")), {})

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_method": None}


class AllStages:
    """The three in one process, clip by clip; see ``Infer`` for the arguments."""

    def __init__(
        self, run: Run, device: str, batch: int, sizes: list[tuple[int, int]], attempts: Attempts | None = None
    ) -> None:
        self._prepare = Prepare(run.point, 1, attempts)
        self._infer = Infer(run, device, batch, sizes, attempts)
        self._finish = Finish(run.point, run.location, attempts)

    def __call__(self, manifest: pa.Table) -> pa.Table:
        """Rows of the manifest to rows without arrays: what is left to tell."""
        return pa.concat_tables([self._finish(self._infer(prepared)) for prepared in self._prepare(manifest)])


def _with_scores(answer: Inferred | Exception | None, row: Row) -> Row:
    if not isinstance(answer, Inferred):
        raise answer or RuntimeError("no scores")
    kept = {name: array for name, array in row.arrays.items() if name != "pixels" and not name.startswith(INPUTS)}
    extra = {f"{EXTRA}{name}": array for name, array in answer.extra.items()}
    if answer.embeddings is not None:
        extra[EMBEDDINGS] = answer.embeddings
    return replace(row, arrays={**kept, SCORES: answer.scores, **extra})


def contained(
    stage: str, row: Row, run: Callable[[Row], Row], attempts: Attempts | None = None, spent: Spent = Spent(0.0, 0.0)
) -> pa.Table:
    """Run one stage on one clip, to a table of one row; what goes wrong is the clip's failure and costs nothing else.

    Also the place where a clip's costs are read off: CPU seconds of this process (``spent`` were before this call), how
    many of them are at the floor, bytes that go on, memory.
    """
    if row.story.failure is not None:
        return row.to_arrow()
    began, started, floor = time.time() - spent.seconds, time.process_time(), floor_seconds()
    try:
        with _watched(attempts, stage, [row.clip]):
            done = run(row)
        costs = {
            f"{stage}_began": began,
            f"{stage}_ended": time.time(),
            f"{stage}_seconds": time.process_time() - started + spent.seconds,
            f"{stage}_floor": floor_seconds() - floor + spent.floor,
            f"{stage}_bytes": float(done.num_bytes),
            f"{stage}_memory": float(_peak_memory()),
        }
        return replace(done, story=done.story.with_costs(**costs).at(stage, PLACE)).to_arrow()
    except Exception as error:  # the boundary: a clip that fails is a row, not an end of the run
        failure = Failure(
            video_id=row.clip.video_id,
            clip_id=row.clip.clip_id,
            source=row.clip.source,
            stage=stage,
            **told(error),
        )
        return Row(row.clip, replace(row.story, failure=failure), {}).to_arrow()


def prepared_of(row: Row) -> Prepared:
    """The prepared clip that a row carries; after inference its pixels are gone."""
    fields = {name: row.arrays.get(name, NO_PIXELS) for name in PREPARED}
    inputs = _under(INPUTS, row.arrays)
    named = (*PREPARED, SCORES, EMBEDDINGS)
    motion = {k: v for k, v in row.arrays.items() if k not in named and not k.startswith((INPUTS, EXTRA))}
    return Prepared(clip=row.clip, **fields, inputs=inputs, motion=motion)


def inferred_of(row: Row) -> Inferred:
    """The scores that a row carries."""
    return Inferred(scores=row.arrays[SCORES], extra=_under(EXTRA, row.arrays), embeddings=row.arrays.get(EMBEDDINGS))


def _under(prefix: str, arrays: dict[str, NDArray]) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _watched(attempts: Attempts | None, stage: str, clips: Sequence[Clip]) -> AbstractContextManager[None]:
    return nullcontext() if attempts is None else attempts.on(stage, clips)


def told(error: Exception) -> dict[str, Any]:
    """What a failure says of its cause."""
    error = full_disk(error) or error
    told = {"error": type(error).__name__, "message": explained(error)}
    return {**told, "attempts": error.attempts, "signal": error.signal} if isinstance(error, Deadly) else told


def explained(error: Exception) -> str:
    """One sentence: an error of ours as it is, any other with the place where it came from."""
    if isinstance(error, VssError):
        return without_secrets(str(error))
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{without_secrets(str(error))} ({last.name}, line {last.lineno} of {last.filename.rsplit('/', 1)[-1]})"


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
