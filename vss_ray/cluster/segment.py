"""The main job: plan, subtract what is done, run the three stages, compact the tables, say what happened."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from rich.console import Console

from vss_ray.clips import Clip
from vss_ray.cluster.pipeline import label_clips
from vss_ray.cluster.planning import plan_archive
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.session import Resources, connect
from vss_ray.cluster.summary import Summary
from vss_ray.config import OperatingPoint
from vss_ray.index.build import compact
from vss_ray.media.archive import list_videos
from vss_ray.run import Failure, Run
from vss_ray.storage.commit import committed
from vss_ray.storage.location import Location


def segment(
    source: str, out: str, point: OperatingPoint, *, limit: int | None, address: str | None, console: Console
) -> Summary:
    """Label every frame of every video of SOURCE, or what is still missing of it.

    Args:
        source: The archive.
        out: Path or URL of the run.
        point: As loaded; ``auto`` is resolved here, on the cluster's hardware.
        limit: At most this many clips, the first ones.
        address: Of a Ray cluster; None starts Ray here.
        console: For the plan and the progress.

    Raises:
        VssError: Anything that can be known before the first clip.
    """
    began = time.time()
    entries = list_videos(source)
    location = Location.open(out)
    # Before Ray starts: what is wrong here should be told at once.
    point.segmenter.module.describe(point.segmenter.config)
    location.check_writable()
    resources = connect(address)
    run = Run.start(
        location, point.resolved(resources.gpus > 0), source if "://" in source else os.path.abspath(source)
    )
    plan = plan_archive(entries, point.clip_seconds)
    clips = plan.clips[:limit]
    run.write_manifest(clips)
    done = committed(location)
    pending = [clip for clip in clips if (clip.video_id, clip.clip_id) not in done]
    summary = Summary(began=began, clips_before=len(clips) - len(pending), videos_failed=len(plan.failures))
    seconds = sum(clip.stop_seconds - clip.start_seconds for clip in pending)
    console.print(
        f"{len(entries)} videos, {len(clips)} clips; {summary.clips_before} done before, {len(pending)} to do "
        f"({seconds:,.0f} s of video) on {resources.cpus} cores and {resources.gpus} GPUs",
        highlight=False,
    )
    failures = list(plan.failures)
    if pending:
        failures += _work(run, pending, summary, resources, Progress(console, seconds))
    run.write_failures(failures)
    compact(location, [(clip.video_id, clip.clip_id) for clip in clips])
    run.write_summary(summary.to_dict())
    return summary


def _work(
    run: Run, pending: Sequence[Clip], summary: Summary, resources: Resources, progress: Progress
) -> list[Failure]:
    failures = []
    for row in label_clips(run, pending, resources):
        if row.story.failure is None:
            summary.add(row)
        else:
            failures.append(row.story.failure)
        progress.add(row.clip.stop_seconds - row.clip.start_seconds, summary.first_work)
    summary.clips_failed = len(failures)
    return failures
