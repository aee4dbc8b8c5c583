"""The main job: plan, subtract what is done, run the three stages, compact the tables, say what happened."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from ray.exceptions import RayError
from rich.console import Console

from vss_ray.clips import Clip
from vss_ray.cluster.pipeline import label_clips
from vss_ray.cluster.planning import plan_archive
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.session import Resources, connect
from vss_ray.cluster.summary import Summary
from vss_ray.config import OperatingPoint
from vss_ray.errors import VideoError
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
        limit: At most this many clips, the first of those that are missing.
        address: Of a Ray cluster; None starts Ray here.
        console: For the plan and the progress.

    Raises:
        VssError: Anything that can be known before the first clip.
    """
    began = time.time()
    location = Location.open(out)
    # OUT may lie inside SOURCE; its masks are videos too, but not of the archive.
    entries = [entry for entry in list_videos(source) if not entry.url.startswith(f"{location.root}/")]
    if not entries:
        raise VideoError(f"{source}: holds no video outside {location.root}; give another SOURCE or OUT")
    # Before Ray starts: what is wrong here should be told at once.
    point.describe()
    location.check_writable()
    resources = connect(address)
    absolute = source.rstrip("/") if "://" in source else os.path.abspath(os.path.expanduser(source))
    run = Run.start(location, point.resolved(resources.gpus > 0), absolute)
    plan = plan_archive(entries, point.clip_seconds)
    clips = plan.clips
    run.write_manifest(clips)
    done = committed(location)
    pending = [clip for clip in clips if (clip.video_id, clip.clip_id) not in done][:limit]
    summary = Summary(
        began=began,
        clips_before=sum((clip.video_id, clip.clip_id) in done for clip in clips),
        videos_failed=len(plan.failures),
    )
    seconds = sum(clip.stop_seconds - clip.start_seconds for clip in pending)
    console.print(
        f"{len(entries)} videos, {len(clips)} clips; {summary.clips_before} done before, {len(pending)} to do "
        f"({seconds:,.0f} s of video) on {resources.cpus} cores and {resources.gpus} GPUs",
        highlight=False,
    )
    failures = list(plan.failures)
    try:
        if pending:
            failures += _work(run, pending, summary, resources, Progress(console, seconds))
    finally:  # whatever ended the work, what is committed can be searched
        run.write_failures(failures)
        compact(location, [(clip.video_id, clip.clip_id) for clip in clips])
    if pending:
        run.write_summary(summary.to_dict())
    return summary


def _work(
    run: Run, pending: Sequence[Clip], summary: Summary, resources: Resources, progress: Progress
) -> list[Failure]:
    failures = []
    left = {(clip.video_id, clip.clip_id): clip for clip in pending}
    try:
        for row in label_clips(run, pending, resources):
            del left[row.clip.video_id, row.clip.clip_id]
            if row.story.failure is None:
                summary.add(row)
            else:
                failures.append(row.story.failure)
            progress.add(row.clip.stop_seconds - row.clip.start_seconds, summary.first_work)
    except RayError as error:  # a worker that died again and again, a lost cluster: say so, clip by clip
        message = str(error).strip().splitlines()[-1]
        failures += [lost(clip, type(error).__name__, message) for clip in left.values()]
    summary.clips_failed = len(failures)
    return failures


def lost(clip: Clip, error: str, message: str) -> Failure:
    """A clip that no stage reported on."""
    return Failure(
        video_id=clip.video_id, clip_id=clip.clip_id, source=clip.source, stage="ray", error=error, message=message
    )
