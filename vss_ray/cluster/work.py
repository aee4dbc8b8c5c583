"""Doing what is missing: subtract what is done, run the three stages, compact the tables, say what happened."""

from __future__ import annotations

from collections.abc import Sequence

from ray.exceptions import RayError
from rich.console import Console

from vss_ray.clips import FULL, Clip
from vss_ray.cluster.parts import cut_where_size_changes
from vss_ray.cluster.pipeline import label_clips
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.session import Resources, connect
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.trace import Trace
from vss_ray.errors import StorageError
from vss_ray.index.build import compact
from vss_ray.run import Failure, Run
from vss_ray.storage.commit import drop_superseded, in_full, passes

UNSTORED = 3
"""Clips in a row that cannot be stored; then OUT takes nothing any more, and all others would fail as well. One alone
may be a worker's own misfortune, and is a row of failure like any other."""


def do(
    run: Run,
    planned: Sequence[Clip],
    wanted: Sequence[Clip],
    failures: Sequence[Failure],
    summary: Summary,
    *,
    limit: int | None,
    address: str | None,
    console: Console,
    trace: Trace | None = None,
) -> Summary:
    """Do the wanted clips that the run's pass has not done yet; a coarse pass leaves those alone that are done in full.

    Whatever ends the work, what is committed until then can be searched. Failed clips are rows in OUT, no exceptions.
    Calls to storage are made again by botocore, see ``storage.patience``, and by nobody else.

    Args:
        run: Its point decides the pass.
        planned: All clips of the run; the tables hold those of them that are done.
        wanted: Some of them.
        failures: Those that stay as they are, such as of files that cannot be read.
        summary: Filled in, stored in run.json and returned.
        limit: At most this many clips, the first of those that are missing.
        address: Of a Ray cluster, which is joined only if there is something to do.
        console: For the plan and the progress.
        trace: Told of every clip.

    Raises:
        StorageError: OUT cannot be read, or takes nothing any more; the same command goes on.
    """
    of_pass = run.point.pass_
    done = {key for key, best in passes(run.location).items() if best in (of_pass, FULL)}
    pending = [clip for clip in wanted if (clip.video_id, clip.clip_id) not in done]
    summary.clips_before = len(wanted) - len(pending)
    pending = pending[:limit]
    seconds = sum(clip.stop_seconds - clip.start_seconds for clip in pending)
    console.print(
        f"{summary.clips_before} clips done before, {len(pending)} to do ({seconds:,.0f} s of video, {of_pass} pass)",
        highlight=False,
    )
    failures, failed = list(failures), []
    try:
        if pending:
            resources = connect(address)
            console.print(f"working on {resources.cpus} cores and {resources.gpus} GPUs", highlight=False)
            failed = _label(run, pending, summary, resources, Progress(console, seconds), trace)
            planned, cut = cut_where_size_changes(run, planned, failed)
            if cut:
                failed = [failure for failure in failed if (failure.video_id, failure.clip_id) not in cut]
                parts = [part for each in cut.values() for part in each]
                console.print(f"frames change size inside {len(cut)} clips: {len(parts)} parts to do", highlight=False)
                failed += _label(run, parts, summary, resources, Progress(console, seconds), trace)
    finally:
        summary.clips_failed = len(failed)
        run.write_failures([*failures, *failed])
        full = in_full(run.location)
        compact(run.location, [(clip.video_id, clip.clip_id) for clip in planned])
        drop_superseded(run.location, full)
    if pending:
        run.write_summary(summary.to_dict())
    return summary


def _label(
    run: Run,
    pending: Sequence[Clip],
    summary: Summary,
    resources: Resources,
    progress: Progress,
    trace: Trace | None,
) -> list[Failure]:
    failures, unstored = [], 0
    left = {(clip.video_id, clip.clip_id): clip for clip in pending}
    try:
        for row in label_clips(run, pending, resources):
            del left[row.clip.video_id, row.clip.clip_id]
            failure = row.story.failure
            if failure is None:
                summary.add(row)
                unstored = 0
            else:
                failures.append(failure)
                unstored += (failure.stage, failure.error) == ("finish", StorageError.__name__)
            if failure is not None and unstored == UNSTORED:
                raise StorageError(
                    f"{failure.message}; {UNSTORED} clips in a row could not be stored, so the run stopped: "
                    f"{summary.clips_done} are done, and the same command goes on"
                )
            if trace is not None:
                trace.add(row)
            progress.add(row.clip.stop_seconds - row.clip.start_seconds, summary.first_work)
    except RayError as error:  # a worker that died again and again, a lost cluster: say so, clip by clip
        message = str(error).strip().splitlines()[-1]
        failures += [lost(clip, type(error).__name__, message) for clip in left.values()]
    return failures


def lost(clip: Clip, error: str, message: str) -> Failure:
    """A clip that no stage reported on."""
    return Failure(
        video_id=clip.video_id, clip_id=clip.clip_id, source=clip.source, stage="ray", error=error, message=message
    )
