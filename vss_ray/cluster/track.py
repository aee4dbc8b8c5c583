"""Following objects that somebody pointed at, through every video in which that was done.

Legs first: each goes through a video in one direction, on one actor, clip after clip. Then every clip is put together
from what its legs saw, and committed. Videos, directions and groups of objects are done side by side.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from vss_ray import engines
from vss_ray.addresses import absolute
from vss_ray.clips import Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.following import KnownRules, Rules, joined_clips, passed_clips
from vss_ray.cluster.pointing import known_objects, videos_of
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.session import Resources, connect
from vss_ray.engines import Execution
from vss_ray.errors import RunMismatchError, VssError
from vss_ray.failures import FAILURES, Failure
from vss_ray.index.schema import SCHEMA_VERSION
from vss_ray.index.tracks import OBJECTS, compact_tracks
from vss_ray.networks import stored
from vss_ray.run import Run
from vss_ray.storage.lease import lease
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import bytes_of
from vss_ray.storage.patience import patient
from vss_ray.storage.sweep import sweep
from vss_ray.tracking import network, pointers, tracker
from vss_ray.tracking.groups import KnownObject, legs
from vss_ray.tracking.legs import Leg
from vss_ray.tracking.store import Store

FAILED = "failed.parquet"


@dataclass
class TrackSummary:
    """What a command did."""

    videos: int = 0
    clips_done: int = 0
    clips_before: int = 0
    video_seconds: float = 0.0
    """Of the clips that were done now."""
    run_seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    """Clips that could not be done."""

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
    """Follow the objects of a file through their videos, or do what is still missing of that.

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
    run = run_over(source, out)
    entries = pointers.read(init)
    videos = videos_of(run, entries)
    digest = stored.digest(stored.locate(network.OPTION, weights))
    with working(run, OBJECTS, address, console) as (store, resources, attempts, summary):
        objects = known_objects(run, entries, videos, attempts)
        rules = KnownRules(
            weights=weights,
            config=config,
            execution=engines.resolve(Execution(), bool(resources.gpus)),
            device="cuda" if resources.gpus else "cpu",
            limits=run.point.limits,
        )
        for name, known in objects.items():
            store.begin(name, _described(known, videos[name], digest, rules))
        ways = [leg for name, known in objects.items() for leg in legs(videos[name], known)]
        done = store.done()
        clips = [clip for name in objects for clip in videos[name] if (name, clip.clip_id) not in done]
        summary.videos = len(objects)
        summary.clips_before = sum(len(videos[name]) for name in objects) - len(clips)
        console.print(
            f"{sum(map(len, objects.values()))} objects in {len(objects)} videos, {summary.clips_before} clips done "
            f"before, {len(clips)} to do",
            highlight=False,
        )
        follow(ways if clips else [], store, rules, resources, attempts, console)
        for joined in joined_clips(clips, store, objects, ways):
            if joined.failure is not None:
                summary.failures.append(joined.failure)
            else:
                summary.clips_done += 1
                summary.video_seconds += seconds_of(joined.clip)
    return summary


def run_over(source: str, out: str) -> Run:
    """The run of OUT.

    Raises:
        StorageError: There is none.
        RunMismatchError: It is one of another SOURCE.
    """
    run = Run.open(Location.open(out))
    if absolute(source) != run.source:
        raise RunMismatchError(
            f"{run.location.root} holds a run over {run.source}, got {absolute(source)}; give the SOURCE it was made of"
        )
    run.location.check_writable()
    return run


@contextmanager
def working(
    run: Run, folder: str, address: str | None, console: Console
) -> Iterator[tuple[Store, Resources, Attempts, TrackSummary]]:
    """Hold OUT; at the end, whatever ended it, the tracks table says what is done."""
    began = time.time()
    with lease(run.location, console) as held, patient():
        sweep(run.location)
        resources = connect(address)
        store, summary = Store(Location.open(run.location.url(folder))), TrackSummary()
        try:
            yield store, resources, Attempts(run.point.clip_attempts, run.point.clip_timeout_seconds), summary
        finally:
            held.check()
            rows = [vars(failure) for failure in summary.failures]
            store.location.write(FAILED, bytes_of(pa.Table.from_pylist(rows, FAILURES)))
            compact_tracks(run.location)
            summary.run_seconds = time.time() - began


def follow(
    ways: Sequence[Leg],
    store: Store,
    rules: Rules,
    resources: Resources,
    attempts: Attempts,
    console: Console,
) -> None:
    """Do what is left of some legs.

    Raises:
        VssError: One of them could not go on; what it has done stays.
    """
    left = [leg for leg in (each.rest(store) for each in ways) if leg is not None]
    if not left:
        return
    seconds = sum(seconds_of(clip) for leg in left for clip in leg.clips[leg.begun :])
    progress = Progress(console, seconds)
    console.print(f"{len(left)} ways to go, {seconds:,.0f} s of video in all", highlight=False)
    for passed in passed_clips(left, store, rules, resources, attempts):
        if passed.failure is not None:
            raise VssError(f"{passed.failure.message}; the same command goes on from there")
        progress.add(seconds_of(passed.clip), math.inf)


def _described(known: Sequence[KnownObject], clips: Sequence[Clip], weights: str, rules: KnownRules) -> dict[str, Any]:
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


def seconds_of(clip: Clip) -> float:
    """How long a clip lasts."""
    return clip.stop_seconds - clip.start_seconds
