"""Doing what is missing: subtract what is done, run the three stages, compact the tables, say what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import RayError
from rich.console import Console

from vss_ray.clips import FULL, Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.full_disk import DiskFullError, full_disk
from vss_ray.cluster.parts import cut_where_size_changes
from vss_ray.cluster.pipeline import label_clips
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.rows import Row
from vss_ray.cluster.session import Resources, connect
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.trace import Trace
from vss_ray.errors import StorageError
from vss_ray.failures import Failure
from vss_ray.index.build import compact
from vss_ray.run import Run
from vss_ray.storage.commit import drop_superseded, in_full, passes
from vss_ray.storage.lease import Held

CUT_OFF = 3
"""Clips in a row that storage fails; then SOURCE or OUT is away, and all others would fail as well. One alone may be a
worker's own misfortune, and a file that is not there is its own: these are rows of failure like any other."""

IN_VAIN = 3
"""How often the pipeline is run, one time after the other, over clips none of which comes back."""
MOST_ALONE = 20
"""Clips that get another chance without neighbors; where memory fails more of them, it is too small for the whole."""

Key = tuple[str, str]
"""(video_id, clip_id)."""


def do(
    run: Run,
    planned: Sequence[Clip],
    wanted: Sequence[Clip],
    unreadable: Sequence[Failure],
    summary: Summary,
    *,
    limit: int | None,
    address: str | None,
    console: Console,
    trace: Trace | None = None,
    attempts: Attempts | None = None,
    retry_failed: bool = False,
    held: Held,
) -> Summary:
    """Do the wanted clips that the run's pass has not done yet; a coarse pass leaves those alone that are done in full.

    Whatever ends the work, what is committed until then can be searched. Failed clips are rows in OUT, no exceptions.
    The row of a clip stays until the clip is tried again or done in full.
    Calls to storage are made again by botocore, see ``storage.patience``, and by nobody else.

    Args:
        run: Its point decides the pass.
        planned: All clips of the run; the tables hold those of them that are done.
        wanted: Some of them.
        unreadable: Files of which there are no clips.
        summary: Filled in, stored in run.json and returned.
        limit: At most this many clips, the first of those that are missing.
        address: Of a Ray cluster, which is joined only if there is something to do.
        console: For the plan and the progress.
        trace: Told of every clip.
        attempts: Of this command; None: counted from here on.
        retry_failed: Only clips that failed before, and those of files that did; else what is in quarantine is left
            alone.
        held: OUT.

    Raises:
        StorageError: OUT cannot be read or takes nothing any more, or SOURCE is away; the same command goes on.
        DiskFullError: A machine has no room left on its own disk; the same command goes on.
    """
    of_pass = run.point.pass_
    best = passes(run.location)
    before = {(failure.video_id, failure.clip_id): failure for failure in run.failures()}
    keys = [key_of(clip) for clip in planned]
    failures = {key: before[key] for key in keys if key in before and best.get(key) != FULL}
    missing = [clip for clip in wanted if best.get(key_of(clip)) not in (of_pass, FULL)]
    summary.clips_before = len(wanted) - len(missing)
    if retry_failed:
        pending = [clip for clip in missing if key_of(clip) in failures or (clip.video_id, None) in before]
    else:
        quarantine = {key for key, failure in failures.items() if failure.is_quarantined}
        pending = [clip for clip in missing if key_of(clip) not in quarantine]
        summary.clips_quarantined = len(missing) - len(pending)
    pending = pending[:limit]
    seconds = sum(clip.stop_seconds - clip.start_seconds for clip in pending)
    console.print(
        f"{summary.clips_before} clips done before, {len(pending)} to do ({seconds:,.0f} s of video, {of_pass} pass)",
        highlight=False,
    )
    files = sum(failure.is_quarantined for failure in unreadable)
    if summary.clips_quarantined or files:
        console.print(
            f"{summary.clips_quarantined} clips and {files} files are in quarantine, because they killed workers or "
            "hung: vss status tells more, vss segment --retry-failed tries again",
            highlight=False,
        )
    try:
        if pending:
            resources = connect(address)
            console.print(f"working on {resources.cpus} cores and {resources.gpus} GPUs", highlight=False)
            attempts = attempts or Attempts(run.point.clip_attempts, run.point.clip_timeout_seconds)
            work = Work(run, resources, attempts, summary, Progress(console, seconds), trace, failures, held)
            work.do(pending)
            tried = [failures[key] for key in map(key_of, pending) if key in failures]
            planned, cut = cut_where_size_changes(run, planned, tried)
            if cut:
                parts = [part for each in cut.values() for part in each]
                console.print(f"frames change size inside {len(cut)} clips: {len(parts)} parts to do", highlight=False)
                for key in cut:
                    del failures[key]
                work.do(parts)
                pending = [*pending, *parts]
    finally:
        held.check()
        run.write_failures([*unreadable, *failures.values()])
        full = in_full(run.location)
        compact(run.location, [key_of(clip) for clip in planned])
        drop_superseded(run.location, full)
    summary.clips_failed = sum(key_of(clip) in failures for clip in pending)
    if pending:
        run.write_summary(summary.to_dict())
    return summary


@dataclass
class Work:
    """What one command does with clips, and whom it tells."""

    run: Run
    resources: Resources
    attempts: Attempts
    summary: Summary
    progress: Progress
    trace: Trace | None
    failures: dict[Key, Failure]
    """Kept up to date, clip by clip."""
    held: Held
    cut_off: int = 0
    """Clips in a row that storage failed, up to now."""

    def do(self, clips: Sequence[Clip]) -> None:
        """Every clip ends as done or as a failure, whatever becomes of workers, nodes, or the pipeline itself."""
        lost, cause, in_vain = list(clips), None, 0
        while lost and in_vain < IN_VAIN:
            before = len(lost)
            lost, cause = self._label(lost, self.attempts)
            in_vain = 0 if len(lost) < before else in_vain + 1
            # One of them may be what breaks the pipeline: let it not stand in front of the others again.
            Random(len(lost)).shuffle(lost)
        for clip in lost:
            self.failures[key_of(clip)] = lost_for_good(clip, cause)
        killed = [clip for clip in clips if self._was_killed(clip)]
        # Who is killed when memory runs out need not be who took it.
        for clip in killed if len(killed) <= MOST_ALONE else ():
            self._label([clip], self.attempts.once_more())

    def _label(self, clips: Sequence[Clip], attempts: Attempts) -> tuple[list[Clip], Exception | None]:
        """Run the pipeline once; gives the clips that did not come back, and why, where Ray says so."""
        left = {key_of(clip): clip for clip in clips}
        try:
            for row in label_clips(self.run, clips, self.resources, attempts):
                if left.pop(key_of(row.clip), None) is not None:  # Ray may tell twice of what it did twice
                    self._tell(row)
        except (RayError, ExecutionTimeoutError) as error:
            if full := full_disk(error):
                raise self._stopped(full) from error
            return list(left.values()), error
        return list(left.values()), None

    def _tell(self, row: Row) -> None:
        self.held.check(look=False)
        failure = row.story.failure
        if failure is not None and failure.error == DiskFullError.__name__:  # not of the clip, so not written down
            raise self._stopped(DiskFullError(failure.message))
        if failure is None:
            self.failures.pop(key_of(row.clip), None)
            self.summary.add(row)
            self.cut_off = 0
        else:
            self.failures[key_of(row.clip)] = failure
            self.cut_off += failure.error == StorageError.__name__
            if self.cut_off == CUT_OFF:
                raise StorageError(
                    f"{failure.message}; storage failed {CUT_OFF} clips in a row, so the run stopped: "
                    f"{self.summary.clips_done} are done, and the same command goes on"
                )
        if self.trace is not None:
            self.trace.add(row)
        if not self._was_killed(row.clip):
            self.progress.add(row.clip.stop_seconds - row.clip.start_seconds, self.summary.first_work)

    def _stopped(self, error: DiskFullError) -> DiskFullError:
        return DiskFullError(f"{error}; {self.summary.clips_done} clips are done, and it does the others")

    def _was_killed(self, clip: Clip) -> bool:
        failure = self.failures.get(key_of(clip))
        return failure is not None and failure.signal == "SIGKILL"


def key_of(clip: Clip) -> Key:
    """What tells a clip from others."""
    return clip.video_id, clip.clip_id


def lost_for_good(clip: Clip, cause: Exception | None) -> Failure:
    """A clip that no stage reported on."""
    reason = str(cause).strip().splitlines()[-1] if cause else "Ray dropped it; see the logs of its workers"
    return Failure(
        video_id=clip.video_id,
        clip_id=clip.clip_id,
        source=clip.source,
        stage="ray",
        error=type(cause).__name__ if cause else "Lost",
        message=f"{clip.source}, frames {clip.start} to {clip.stop}: lost {IN_VAIN} times; the last time {reason}",
        attempts=IN_VAIN,
    )
