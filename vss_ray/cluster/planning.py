"""The plan of an archive, made in parallel: every file is probed by a Ray task, from its packets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ray

from vss_ray.clips import Clip, video_id
from vss_ray.cluster.attempts import FLOOR_SECONDS, Attempts
from vss_ray.cluster.full_disk import DiskFullError
from vss_ray.cluster.operators import told
from vss_ray.errors import StorageError, VideoError
from vss_ray.failures import Failure
from vss_ray.media.archive import ArchiveEntry
from vss_ray.media.limits import Limits
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips

FILES_PER_TASK = 16
SLOWEST_READING = 2e6
"""Bytes a second, of storage that is worth waiting for."""


@dataclass(frozen=True)
class Plan:
    """What would run."""

    clips: list[Clip]
    """Sorted by video and start."""
    failures: list[Failure]
    """Files that cannot be read."""

    @property
    def seconds(self) -> float:
        """Video time of all clips."""
        return sum(clip.stop_seconds - clip.start_seconds for clip in self.clips)


def plan_archive(
    entries: list[ArchiveEntry], clip_seconds: float, limits: Limits = Limits(), attempts: Attempts | None = None
) -> Plan:
    """Probe all files and cut them into clips.

    Args:
        entries: The files of the archive.
        clip_seconds: Wanted length of a clip.
        limits: What a file may ask for.
        attempts: Told what is worked on; None: counted for this plan alone.

    Raises:
        DiskFullError: A machine has no room left on its own disk.
    """
    named = [entry for entry in entries if _printable(entry.url) == entry.url]
    clips: list[Clip] = []
    failures = [_nameless(entry) for entry in entries if _printable(entry.url) != entry.url]
    named, twins = apart(named)
    failures += [_twin(entry, other) for entry, other in twins]
    if not named:
        return Plan(clips, failures)
    attempts = attempts or Attempts()
    tasks = [
        _probe_and_plan.remote(named[start : start + FILES_PER_TASK], clip_seconds, limits, attempts)
        for start in range(0, len(named), FILES_PER_TASK)
    ]
    for planned, unreadable in ray.get(tasks):
        clips += planned
        failures += unreadable
    for failure in failures:
        if failure.error == DiskFullError.__name__:
            raise DiskFullError(failure.message)
    return Plan(sorted(clips, key=lambda c: (c.video_id, c.start)), sorted(failures, key=lambda f: f.source))


def out_of_reach(plan: Plan, known: Sequence[Clip]) -> list[Clip]:
    """Clips of an earlier plan whose files storage does not give out now: they stay, and what is done of them."""
    away = {failure.source for failure in plan.failures if failure.error == StorageError.__name__}
    return [clip for clip in known if clip.source in away]


@ray.remote(num_cpus=1, max_retries=-1)
def _probe_and_plan(
    entries: list[ArchiveEntry], clip_seconds: float, limits: Limits, attempts: Attempts
) -> tuple[list[Clip], list[Failure]]:
    clips, failures = [], []
    for entry in entries:
        try:
            with attempts.at("probe", {entry.url: entry.url}, FLOOR_SECONDS + entry.size_bytes / SLOWEST_READING):
                clips += plan_clips(probe(entry, limits), clip_seconds)
        except Exception as error:  # the boundary: a file that cannot be read is a row, not an end of the plan
            failures.append(_failure(entry, error))
    return clips, failures


def _printable(text: str) -> str:
    """The text, bytes that are no UTF-8 written out: a name on disk may hold any bytes, a table may not."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _nameless(entry: ArchiveEntry) -> Failure:
    source = _printable(entry.url)
    error = VideoError(f"{source}: its name is not UTF-8; rename it, and run again")
    return replace(_failure(entry, error), source=source)


def apart(entries: list[ArchiveEntry]) -> tuple[list[ArchiveEntry], list[tuple[ArchiveEntry, ArchiveEntry]]]:
    """Files of which each has a ``video_id`` of its own; and those whose names give one that is taken, with its owner.

    Such names do not come about by chance, yet they are quickly made.
    """
    owners: dict[str, ArchiveEntry] = {}
    twins = []
    for entry in entries:
        owner = owners.setdefault(video_id(entry.relative_path), entry)
        if owner is not entry:
            twins.append((entry, owner))
    return list(owners.values()), twins


def _twin(entry: ArchiveEntry, owner: ArchiveEntry) -> Failure:
    error = VideoError(f"{entry.url}: its name gives the same id as that of {owner.url}; rename it, and run again")
    # Under an id of its own: that of the other file belongs to the other file.
    return replace(_failure(entry, error), video_id=video_id(entry.url))


def _failure(entry: ArchiveEntry, error: Exception) -> Failure:
    return Failure(
        video_id=video_id(entry.relative_path),
        clip_id=None,
        source=entry.url,
        stage="probe",
        **told(error),
    )
