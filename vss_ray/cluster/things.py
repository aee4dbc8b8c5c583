"""Finding the objects of a whole archive, without anybody pointing at one: regions of labels linked into tracks.

A video is one leg, from its first clip to its last; videos are done side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from rich.console import Console

from vss_ray.clips import FULL, Clip
from vss_ray.cluster.following import ThingRules
from vss_ray.cluster.track import TrackSummary, follow, run_over, seconds_of, working
from vss_ray.errors import ConfigError, DataError
from vss_ray.failures import Failure
from vss_ray.index.schema import SCHEMA_VERSION
from vss_ray.index.tracks import THINGS
from vss_ray.labels.things import things
from vss_ray.run import Run
from vss_ray.storage.commit import passes
from vss_ray.tracking import linking
from vss_ray.tracking.legs import Leg
from vss_ray.tracking.store import Store


def track_things(
    source: str,
    out: str,
    *,
    classes: Sequence[str],
    config: linking.Config,
    address: str | None,
    console: Console,
) -> TrackSummary:
    """Link the objects of some classes in all videos that are labelled, or do what is still missing of that.

    Args:
        source: The archive that OUT was made of.
        out: Path or URL of the run.
        classes: Whose objects; none: those that are things in COCO or Cityscapes.
        config: When two regions are one object.
        address: Of a Ray cluster; None starts Ray here.
        console: For the progress.

    Raises:
        VssError: Anything that can be known before the first clip; the storage of OUT fails.
    """
    run = run_over(source, out)
    rules = ThingRules(run=run, class_names=_names(run, classes), config=config)
    videos = _labelled(run)
    if not videos:
        raise DataError(f"{run.location.root}: no clip is labelled in full yet; `vss segment` it first")
    with working(run, THINGS, address, console) as (store, resources, attempts, summary):
        for name, clips in videos.items():
            store.begin(name, _described(rules, clips))
        ways = [Leg(clips=tuple(clips), direction="forward", group=0, known={}) for clips in videos.values()]
        before = {key for key in store.done() if key[0] in videos}
        summary.videos, summary.clips_before = len(videos), len(before)
        console.print(
            f"objects of {', '.join(rules.class_names.values())} in {len(videos)} videos, {len(before)} clips done "
            f"before, {sum(map(len, videos.values())) - len(before)} to do",
            highlight=False,
        )
        follow(ways, store, rules, resources, attempts, console)
        done = store.done()
        for clip in (clip for clips in videos.values() for clip in clips):
            key = clip.video_id, clip.clip_id
            if key not in done:
                summary.failures.append(_failure(store, clip, ways[0].name))
            elif key not in before:
                summary.clips_done += 1
                summary.video_seconds += seconds_of(clip)
    return summary


def _names(run: Run, classes: Sequence[str]) -> dict[int, str]:
    """Classes whose objects are told apart, by id."""
    try:
        ids = sorted({run.taxonomy.index(name) for name in classes} or things(run.taxonomy))
    except KeyError as error:
        raise ConfigError(f"--class: {error.args[0]}") from error
    if not ids:
        raise ConfigError(f"--class: none of {', '.join(run.taxonomy.classes)} is known to be countable; name some")
    return {index: run.taxonomy.classes[index] for index in ids}


def _labelled(run: Run) -> dict[str, list[Clip]]:
    """Clips that all stages made, in order, by video."""
    best = passes(run.location)
    videos: dict[str, list[Clip]] = defaultdict(list)
    for clip in map(Clip.from_row, run.manifest_rows()):
        if best.get((clip.video_id, clip.clip_id)) == FULL:
            videos[clip.video_id].append(clip)
    return {name: sorted(clips, key=lambda clip: clip.start) for name, clips in sorted(videos.items())}


def _described(rules: ThingRules, clips: Sequence[Clip]) -> dict[str, Any]:
    """All that decides what is written of a video; its labels are those of the run."""
    return {
        "classes": list(rules.class_names.values()),
        "config": asdict(rules.config),
        "run": rules.run.fingerprint,
        "clips": [clip.clip_id for clip in clips],
        "output_schema": SCHEMA_VERSION,
    }


def _failure(store: Store, clip: Clip, leg: str) -> Failure:
    _, why = store.read_part(clip.video_id, clip.clip_id, leg, pa.schema([]))
    return Failure(
        video_id=clip.video_id,
        clip_id=clip.clip_id,
        source=clip.source,
        stage="track",
        error="VideoError",
        message=why,
    )
