"""Legs and clips of objects as what Ray Data calls: actors that hold the network, tasks that put clips together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy, DataContext

from vss_ray.clips import Clip
from vss_ray.cluster.attempts import FLOOR_SECONDS, Attempts, Deadly
from vss_ray.cluster.operators import told
from vss_ray.cluster.pipeline import ONE_ROW_BYTES, quieten
from vss_ray.cluster.session import Resources
from vss_ray.engines import Execution
from vss_ray.errors import StorageError
from vss_ray.failures import Failure
from vss_ray.index.schema import TRACK_RECORD
from vss_ray.media.limits import Limits
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.tracking import linking, network, tracker
from vss_ray.tracking.encoding import Encoded, encode
from vss_ray.tracking.groups import KnownObject, composed
from vss_ray.tracking.legs import FollowKnown, Leg, Work, travel
from vss_ray.tracking.sightings import SIGHTINGS
from vss_ray.tracking.store import Store
from vss_ray.tracking.things import LinkThings
from vss_ray.tracking.tracker import Tracker

A_FRAME_SECONDS = 10.0
"""What a frame may take until its leg hangs: a hundred times what eight objects cost a slow core."""


class Rules(Protocol):
    """What a leg is done by; travels to the workers."""

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``."""
        ...

    def work(self, store: Store) -> Work:
        """Made in the worker, ready to run."""
        ...


@dataclass(frozen=True, kw_only=True)
class KnownRules:
    """For objects that are known on some frame."""

    weights: str
    config: tracker.Config
    execution: Execution
    """Resolved."""
    device: str
    limits: Limits

    def work(self, store: Store) -> Work:
        """See ``Rules``."""
        built = network.build(self.weights, self.execution, threads=1, device=self.device)
        return FollowKnown(store, lambda: Tracker(built, self.config), self.limits)


@dataclass(frozen=True, kw_only=True)
class ThingRules:
    """For objects that are found in the labels of a run."""

    run: Run
    class_names: Mapping[int, str]
    config: linking.Config
    device: str = "cpu"

    def work(self, store: Store) -> Work:
        """See ``Rules``."""
        flow = self.run.point.flow
        return LinkThings(
            store,
            self.run.location,
            self.class_names,
            self.config,
            flow.module.build(flow.config),
            self.run.point.limits,
            lambda clip, encoded: commit_objects(store, clip, encoded),
        )


@dataclass(frozen=True)
class Told:
    """What a worker says of a clip."""

    clip: Clip
    failure: Failure | None = None


class Follow:
    """An actor that does legs."""

    def __init__(self, legs: Sequence[Leg], store: Store, rules: Rules, attempts: Attempts) -> None:
        self._legs, self._store, self._attempts = legs, store, attempts
        self._work = rules.work(store)

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """One row for every clip of a leg as it is passed; a failure that ends the leg comes last."""
        leg = self._legs[row["leg"]].rest(self._store)  # a worker before this one may have come some way
        if leg is None:
            return
        clip = leg.clips[0]
        try:
            for passed in travel(leg, self._store, self._work, self._watch, Deadly):
                clip = passed.clip
                yield _row(Told(clip))
        except Exception as error:  # the boundary, as in operators.contained: one leg must not cost the others
            yield _row(Told(clip, _failure(clip, error)))

    def _watch(self, clip: Clip) -> AbstractContextManager[None]:
        work = {f"{clip.video_id}/{clip.clip_id}": f"{clip.source}, frames {clip.start} to {clip.stop}"}
        return self._attempts.at("track", work, FLOOR_SECONDS + A_FRAME_SECONDS * clip.num_frames)


class Join:
    """A task that puts a clip together and commits it."""

    def __init__(self, store: Store, objects: Mapping[str, Sequence[KnownObject]], legs: Sequence[Leg]) -> None:
        self._store, self._objects = store, objects
        self._legs = legs

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row that says whether it is done."""
        clip = Clip.from_row(json.loads(row["clip"]))
        try:
            return _row(Told(clip, self._join(clip)))
        except Exception as error:  # the boundary, as in operators.contained
            return _row(Told(clip, _failure(clip, error)))

    def _join(self, clip: Clip) -> Failure | None:
        store = self._store
        names = [leg.name for leg in self._legs if leg.video_id == clip.video_id and clip in leg.clips]
        parts: dict[str, pa.Table] = {}
        for name in names:
            parts[name], why = store.read_part(clip.video_id, clip.clip_id, name, SIGHTINGS)
            if why:
                return _failure(clip, None, why)
        objects = self._objects[clip.video_id]
        try:
            encoded = encode(clip, composed(clip, objects, parts), max(each.track for each in objects))
        except ValueError as error:
            raise StorageError(f"{store.location.root}: a part of {clip.clip_id}: {error}; delete it") from error
        if encoded is None:
            return _failure(clip, None, f"{clip.source}: no frame of {clip.clip_id} decodes")
        commit_objects(store, clip, encoded)
        store.drop_parts(clip.video_id, clip.clip_id, names)
        return None


def commit_objects(store: Store, clip: Clip, encoded: Encoded) -> None:
    """Store a clip of objects for good."""
    about = {
        "source": clip.source,
        **{name: getattr(clip, name) for name in ("start", "stop", "start_seconds", "stop_seconds")},
        **{name: getattr(clip, name) for name in ("width", "height", "size_bytes")},
        "num_frames": len(encoded.rows),
    }
    rows = pa.Table.from_pylist(encoded.rows, TRACK_RECORD)
    commit(store.location, clip.video_id, clip.clip_id, encoded.mask, rows, about)


def passed_clips(
    legs: Sequence[Leg], store: Store, rules: Rules, resources: Resources, attempts: Attempts
) -> Iterator[Told]:
    """Do legs; yields clips as they are passed."""
    quieten()
    context = DataContext.get_current()
    context.target_max_block_size = ONE_ROW_BYTES
    size = min(len(legs), resources.gpus or resources.cpus)
    rows = ray.data.from_items([{"leg": i} for i in range(len(legs))], override_num_blocks=len(legs)).flat_map(
        Follow,
        fn_constructor_args=(list(legs), store, rules, attempts),
        compute=ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
        num_gpus=1 if rules.device == "cuda" else None,
    )
    frames = max(clip.num_frames for leg in legs for clip in leg.clips)
    rows.context.execution_no_progress_timeout_s = (attempts.most + 1) * (FLOOR_SECONDS + A_FRAME_SECONDS * frames)
    yield from map(_told, rows.iter_rows())


def joined_clips(
    clips: Sequence[Clip], store: Store, objects: Mapping[str, Sequence[KnownObject]], legs: Sequence[Leg]
) -> Iterator[Told]:
    """Put clips together; yields them as they are committed, or not."""
    if not clips:
        return
    items = [{"clip": json.dumps(clip.to_row())} for clip in clips]
    joined: Callable[[dict[str, Any]], dict[str, Any]] = Join(store, objects, legs)
    rows = ray.data.from_items(items, override_num_blocks=len(items)).map(joined, num_cpus=1)
    yield from map(_told, rows.iter_rows())


def _failure(clip: Clip, error: Exception | None, message: str = "") -> Failure:
    said: dict[str, Any] = {"error": "VideoError", "message": message} if error is None else told(error)
    return Failure(video_id=clip.video_id, clip_id=clip.clip_id, source=clip.source, stage="track", **said)


def _row(told: Told) -> dict[str, Any]:
    failure = "" if told.failure is None else json.dumps(vars(told.failure))
    return {"clip": json.dumps(told.clip.to_row()), "failure": failure}


def _told(row: dict[str, Any]) -> Told:
    failure = Failure(**json.loads(row["failure"])) if row["failure"] else None
    return Told(Clip.from_row(json.loads(row["clip"])), failure)
