"""Following objects that somebody pointed at, through every video in which that was done.

Legs first: each goes through a video in one direction, on one actor, clip after clip. Then every clip is put together
from what its legs saw, and committed. Videos, directions and groups of objects are done side by side.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from vss_ray import engines
from vss_ray.addresses import absolute
from vss_ray.clips import Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.following import Rules, joined_clips, passed_clips
from vss_ray.cluster.pointing import known_objects, videos_of
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.session import Resources, connect
from vss_ray.engines import Execution
from vss_ray.errors import RunMismatchError, StorageError, VssError
from vss_ray.failures import FAILURES, Failure
from vss_ray.index.schema import SCHEMA_VERSION
from vss_ray.index.tracks import OBJECTS, compact_tracks
from vss_ray.networks import stored
from vss_ray.run import Run
from vss_ray.storage.lease import lease
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import bytes_of, table_of
from vss_ray.storage.patience import patient
from vss_ray.storage.sweep import sweep
from vss_ray.tracking import network, pointers, tracker
from vss_ray.tracking.groups import KnownObject, legs
from vss_ray.tracking.store import Store

FAILED = "failed.parquet"


@dataclass
class TrackSummary:
    """What a command did."""

    objects: int = 0
    videos: int = 0
    clips_done: int = 0
    clips_before: int = 0
    clips_failed: int = 0
    video_seconds: float = 0.0
    """Of the clips that were done now."""
    run_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as ``--json`` prints them."""
        return asdict(self)


def track(
    source: str,
    out: str,
    init: Path,
    *,
    weights: str,
    config: tracker.Config,
    address: str | None,
    console: Console,
) -> TrackSummary:
    """Follow the objects of a file through their videos, or what is still missing of that.

    Args:
        source: The archive that OUT was made of.
        out: Path or URL of the run.
        init: See ``tracking.pointers``.
        weights: Of RTS, see ``networks.stored.locate``.
        config: How objects are followed.
        address: Of a Ray cluster; None starts Ray here.
        console: For the progress.

    Raises:
        VssError: Anything that can be known before the first clip; the storage of OUT fails.
    """
    began = time.time()
    run = Run.open(Location.open(out))
    if absolute(source) != run.source:
        raise RunMismatchError(
            f"{run.location.root} holds a run over {run.source}, got {absolute(source)}; give the SOURCE it was made of"
        )
    entries = pointers.read(init)
    videos = videos_of(run, entries)
    digest = stored.digest(stored.locate(network.OPTION, weights))
    run.location.check_writable()
    with lease(run.location, console), patient():
        sweep(run.location)
        resources = connect(address)
        attempts = Attempts(run.point.clip_attempts, run.point.clip_timeout_seconds)
        objects = known_objects(run, entries, videos, attempts)
        device = "cuda" if resources.gpus else "cpu"
        execution = engines.resolve(Execution(), bool(resources.gpus))
        rules = Rules(weights=weights, config=config, execution=execution, device=device, limits=run.point.limits)
        store = Store(Location.open(run.location.url(OBJECTS)))
        for name, known in objects.items():
            store.begin(name, _described(known, videos[name], digest, rules))
        summary = TrackSummary(objects=sum(map(len, objects.values())), videos=len(objects))
        failures = _do(store, videos, objects, rules, (resources, attempts), summary, console)
        store.location.write(FAILED, bytes_of(pa.Table.from_pylist([vars(each) for each in failures], FAILURES)))
        compact_tracks(run.location)
    summary.run_seconds = time.time() - began
    return summary


def failures_of(location: Location) -> list[Failure]:
    """What could not be done when objects of a run were last followed."""
    store = Location.open(location.url(OBJECTS))
    if not store.exists(FAILED):
        return []
    try:
        return [Failure(**row) for row in table_of(store.read(FAILED), FAILURES).to_pylist()]
    except ValueError as error:
        raise StorageError(f"{store.url(FAILED)}: {error}; delete it and run `vss track` again") from error


def _do(
    store: Store,
    videos: Mapping[str, Sequence[Clip]],
    objects: Mapping[str, Sequence[KnownObject]],
    rules: Rules,
    work: tuple[Resources, Attempts],
    summary: TrackSummary,
    console: Console,
) -> list[Failure]:
    """Legs, then clips; what could not be done."""
    resources, attempts = work
    ways = [leg for name, known in objects.items() for leg in legs(videos[name], known)]
    done = store.done()
    clips = [clip for name in objects for clip in videos[name] if (name, clip.clip_id) not in done]
    summary.clips_before = sum(len(videos[name]) for name in objects) - len(clips)
    left = [leg for leg in (each.rest(store) for each in ways) if leg is not None] if clips else []
    seconds = sum(_seconds(clip) for leg in left for clip in leg.clips[leg.begun :])
    console.print(
        f"{summary.objects} objects in {summary.videos} videos: {summary.clips_before} clips done before, "
        f"{len(clips)} to do ({seconds:,.0f} s of video to follow, forward and backward)",
        highlight=False,
    )
    if left:
        progress = Progress(console, seconds)
        for passed in passed_clips(left, store, rules, resources, attempts):
            if passed.failure is not None:  # the leg has ended there; what it has done stays
                raise VssError(f"{passed.failure.message}; the same command goes on from there")
            progress.add(_seconds(passed.clip), math.inf)
    failures = []
    for joined in joined_clips(clips, store, objects, ways) if clips else ():
        if joined.failure is not None:
            failures.append(joined.failure)
            continue
        summary.clips_done += 1
        summary.video_seconds += _seconds(joined.clip)
    summary.clips_failed = len(failures)
    return failures


def _described(known: Sequence[KnownObject], clips: Sequence[Clip], weights: str, rules: Rules) -> dict[str, Any]:
    """All that decides what is written of a video."""
    return {
        "objects": {
            str(each.track): {
                "class_name": each.class_name,
                "masks": {str(n): hashlib.sha256(mask).hexdigest() for n, mask in each.masks.items()},
            }
            for each in known
        },
        "clips": [clip.clip_id for clip in clips],
        "source_bytes": clips[0].size_bytes,
        "weights_sha256": weights,
        "rules": {"config": asdict(rules.config), "execution": asdict(rules.execution), "device": rules.device},
        "output_schema": SCHEMA_VERSION,
    }


def _seconds(clip: Clip) -> float:
    return clip.stop_seconds - clip.start_seconds
