"""The main job: plan the archive, then do what is missing of it."""

from __future__ import annotations

import time
from functools import cache

from rich.console import Console

from vss_ray import trust
from vss_ray.addresses import absolute
from vss_ray.clips import Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.planning import out_of_reach, plan_archive
from vss_ray.cluster.session import connect
from vss_ray.cluster.settle import settle
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.trace import Trace
from vss_ray.cluster.work import do
from vss_ray.config import OperatingPoint
from vss_ray.errors import VideoError
from vss_ray.media.archive import list_videos
from vss_ray.plan import with_known_parts
from vss_ray.run import MANIFEST, Run, content_of
from vss_ray.storage.lease import lease
from vss_ray.storage.location import Location
from vss_ray.storage.patience import patient
from vss_ray.storage.sweep import sweep


def segment(
    source: str,
    out: str,
    point: OperatingPoint,
    *,
    limit: int | None,
    address: str | None,
    console: Console,
    trace: Trace | None = None,
    retry_failed: bool = False,
) -> Summary:
    """Label every frame of every video of SOURCE, or what is still missing of it.

    Args:
        source: The archive.
        out: Path or URL of the run.
        point: As loaded; ``auto`` is resolved here, on the cluster's hardware.
        limit: At most this many clips, the first of those that are missing.
        address: Of a Ray cluster; None starts Ray here.
        console: For the plan and the progress.
        trace: Told of what was done when and where.
        retry_failed: Only what stands in failed.parquet; without it, what is in quarantine there is left alone.

    Raises:
        VssError: Anything that can be known before the first clip.
    """
    began = time.time()
    trust.name(point.to_dict())
    location = Location.open(out)
    # OUT may lie inside SOURCE; its masks are videos too, but not of the archive.
    entries = [entry for entry in list_videos(source) if not entry.url.startswith(f"{location.root}/")]
    if not entries:
        raise VideoError(f"{source}: holds no video outside {location.root}; give another SOURCE or OUT")
    # Before Ray starts: what is wrong here should be told at once.
    point.describe()
    location.check_writable()
    with lease(location, console) as held, patient():
        sweep(location)
        before = Run.open(location).failures() if retry_failed or content_of(location) else []
        left_alone = {each.source: each for each in before if each.is_quarantined and each.clip_id is None}
        if retry_failed:
            left_alone.clear()
        resources = connect(address)
        attempts = Attempts(point.clip_attempts, point.clip_timeout_seconds)
        tried = [entry for entry in entries if entry.url not in left_alone]
        planned = cache(lambda: plan_archive(tried, point.clip_seconds, point.limits, attempts))
        settled = settle(location, point.resolved(resources.gpus > 0), lambda: planned().clips, console, attempts)
        held.check()
        run = Run.start(location, settled.point, absolute(source), settled.notes)
        plan = planned()
        unreadable = plan.failures + [left_alone[entry.url] for entry in entries if entry.url in left_alone]
        known = [Clip.from_row(row) for row in run.manifest_rows()] if location.exists(MANIFEST) else []
        clips = [*with_known_parts(plan.clips, known), *out_of_reach(plan, known)]
        clips.sort(key=lambda clip: (clip.video_id, clip.start))
        held.check()
        run.write_manifest(clips)
        console.print(f"{len(entries)} videos, {len(clips)} clips", highlight=False)
        summary = Summary(began=began, videos_failed=len(unreadable), about={"pass": point.pass_})
        return do(
            run,
            clips,
            clips,
            unreadable,
            summary,
            limit=limit,
            address=address,
            console=console,
            trace=trace,
            attempts=attempts,
            retry_failed=retry_failed,
            held=held,
        )
