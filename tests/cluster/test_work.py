"""When a run gives up, and when it does not."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from ray.exceptions import OutOfDiskError, RayTaskError
from rich.console import Console

from vss_ray.clips import Clip
from vss_ray.cluster import work as module
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.full_disk import DiskFullError
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.rows import Row, Story
from vss_ray.cluster.session import Resources
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.work import CUT_OFF, MOST_ALONE, Work
from vss_ray.errors import StorageError
from vss_ray.failures import Failure
from vss_ray.storage.lease import Held
from vss_ray.storage.location import Location


def clip_of(number: int) -> Clip:
    return Clip.of_pictures(f"{number}.mp4", 10, 10.0, 48, 64)


def failed(number: int, stage: str, error: str, **told: Any) -> Row:
    clip = clip_of(number)
    failure = Failure(
        video_id=clip.video_id,
        clip_id=clip.clip_id,
        source=clip.source,
        stage=stage,
        error=error,
        message="it is away",
        **told,
    )
    return Row(clip, Story(failure=failure), {})


def done(number: int) -> Row:
    return Row(clip_of(number), Story(costs=defaultdict(float)), {})


@pytest.fixture
def work() -> Work:
    progress = Progress(Console(quiet=True), 100.0)
    held = Held(Location.open("memory://work"), "me")
    return Work(None, Resources(1, 0), Attempts.__new__(Attempts), Summary(), progress, None, {}, held)  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", ["prepare", "finish"])
def test_a_source_or_an_output_that_is_away_stops_the_run(work, stage):
    for number in range(CUT_OFF - 1):
        work._tell(failed(number, stage, "StorageError"))
    with pytest.raises(StorageError, match=rf"it is away; storage failed {CUT_OFF} clips in a row, so the run stopped"):
        work._tell(failed(CUT_OFF, stage, "StorageError"))


@pytest.mark.parametrize("error", ["MissingError", "VideoError"])
def test_files_that_are_gone_or_broken_are_their_own_affair(work, error):
    for number in range(3 * CUT_OFF):
        work._tell(failed(number, "prepare", error))
    assert len(work.failures) == 3 * CUT_OFF


@pytest.mark.parametrize("suspects", [1, MOST_ALONE, MOST_ALONE + 1])
def test_where_memory_fails_more_than_a_few_none_of_them_is_tried_alone(work, monkeypatch, suspects):
    """One innocent clip beside them, and one that crashes by itself: neither is ever tried alone."""
    work.attempts.most = 2
    clips = {clip_of(number).source: number for number in range(suspects + 2)}
    crashing, innocent = suspects, suspects + 1
    calls = []

    def label_clips(run, those, resources, attempts):
        numbers = [clips[clip.source] for clip in those]
        calls.append((numbers, attempts.most))
        for number in numbers:
            if len(numbers) == 1 or number == innocent:
                yield done(number)
            else:
                signal = "SIGSEGV" if number == crashing else "SIGKILL"
                yield failed(number, "infer", "WorkerDied", signal=signal, attempts=attempts.most)

    monkeypatch.setattr(module, "label_clips", label_clips)
    work.do([clip_of(number) for number in clips.values()])
    (_, *alone) = calls
    assert calls[0] == (list(clips.values()), 2)
    if suspects <= MOST_ALONE:
        assert alone == [([number], 3) for number in range(suspects)]
        assert {(failure.signal, failure.attempts) for failure in work.failures.values()} == {("SIGSEGV", 2)}
        assert work.summary.clips_done == suspects + 1
    else:
        assert alone == []
        assert len(work.failures) == suspects + 1
        assert all(failure.is_quarantined and failure.attempts == 2 for failure in work.failures.values())
        assert work.summary.clips_done == 1
    assert work.attempts.most == 2


def test_a_full_disk_of_a_worker_stops_the_run_at_once(work):
    work._tell(done(0))
    with pytest.raises(DiskFullError, match=r"^it is away; 1 clips are done"):
        work._tell(failed(1, "prepare", "DiskFullError"))
    assert work.failures == {}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_disk_that_takes_nothing_that_ray_spills_stops_the_run_at_once(work, monkeypatch, wrapped):
    def label_clips(run, clips, resources, attempts):
        yield done(0)
        error = OutOfDiskError("Local disk is full")
        raise RayTaskError("map", "", error, pid=1, ip="::1") if wrapped else error

    monkeypatch.setattr(module, "label_clips", label_clips)
    with pytest.raises(DiskFullError, match="spills to are full on a machine; make room there"):
        work.do([clip_of(0), clip_of(1)])
    assert work.failures == {}
