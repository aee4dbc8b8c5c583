"""When a run gives up, and when it does not."""

from __future__ import annotations

import pytest
from rich.console import Console

from vss_ray.clips import Clip
from vss_ray.cluster.attempts import Attempts
from vss_ray.cluster.progress import Progress
from vss_ray.cluster.rows import Row, Story
from vss_ray.cluster.session import Resources
from vss_ray.cluster.summary import Summary
from vss_ray.cluster.work import CUT_OFF, Work
from vss_ray.errors import StorageError
from vss_ray.failures import Failure


def failed(number: int, stage: str, error: str) -> Row:
    clip = Clip.of_pictures(f"{number}.mp4", 10, 10.0, 48, 64)
    failure = Failure(
        video_id=clip.video_id, clip_id=clip.clip_id, source=clip.source, stage=stage, error=error, message="it is away"
    )
    return Row(clip, Story(failure=failure), {})


@pytest.fixture
def work() -> Work:
    progress = Progress(Console(quiet=True), 100.0)
    return Work(None, Resources(1, 0), Attempts.__new__(Attempts), Summary(), progress, None, {})  # type: ignore[arg-type]


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
