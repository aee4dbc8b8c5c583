"""The whole protocol of a run, from the lease over run.json to the summary, struck at every call to storage.

What runs is the real thing but for Ray and the networks: ``cluster.work.do`` over the real commit, compaction and
``Run``. A clip's labels are made up from its name, as the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.storage import faults
from tests.storage.faults import Killed, Trouble, faulty
from vss_ray import config, run
from vss_ray.clips import COARSE, FULL, Clip
from vss_ray.cluster import work
from vss_ray.cluster.rows import Row, Story
from vss_ray.cluster.session import Resources
from vss_ray.cluster.summary import Summary
from vss_ray.errors import StorageError
from vss_ray.failures import Failure
from vss_ray.index.schema import BUILD_KEY, CLIPS, record_schema
from vss_ray.index.tables import PATHS
from vss_ray.labels import taxonomy
from vss_ray.run import FAILED, MANIFEST, RUN, Run
from vss_ray.storage import lease
from vss_ray.storage.commit import MASKS, RECORDS, commit, passes, read_mask, read_record
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import table_of
from vss_ray.storage.sweep import sweep

OUT = Location.open("faulty://run/out")
QUIET = Console(quiet=True)
POINTS = {
    of_pass: config.load("evs", [f"pass={of_pass}", "segmenter.weights=random:mobilenet_v2"]).resolved(has_cuda=False)
    for of_pass in (COARSE, FULL)
}
TWO = [
    replace(Clip.of_pictures(name, 4, 2.0, 8, 8), source=f"/in/{name}", coarse_frames=(0, 2), coarse_pts=(0, 2))
    for name in ("a", "b")
]
KEYS = {(clip.video_id, clip.clip_id) for clip in TWO}
CALLS = 50
"""More than a pass makes; beyond its last one nothing strikes."""


def store(clip: Clip, of_pass: str) -> None:
    """What the three stages make of a clip."""
    numbers = np.array(clip.coarse_frames if of_pass == COARSE else range(clip.start, clip.stop))
    count, classes = len(numbers), 2
    area = np.full((count, classes), 0.5, np.float32)

    def lists(rows: np.ndarray) -> pa.FixedSizeListArray:
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])

    columns = {
        "video_id": [clip.video_id] * count,
        "clip_id": [clip.clip_id] * count,
        "frame": numbers,
        "pts_seconds": numbers / 2,
        "is_keyframe": [True] * count,
        "key_distance": np.zeros(count, np.int32),
        "unreliable": np.zeros(count, np.float32),
        "agreement": [None] * count,
        "self_agreement": [None] * count,
        "pass": [of_pass] * count,
        "area": lists(area),
        "grid": lists(np.zeros((count, 9 * classes), np.uint8)),
        "objects": lists(np.ones((count, classes), np.uint16)),
        "embedding": [None] * count,
    }
    row = {field.name: 0 for field in CLIPS if not field.nullable} | {name: getattr(clip, name) for name in vars(clip)}
    row = {name: row[name] for name in CLIPS.names if name in row} | {"clip_id": clip.clip_id}
    row |= {"pass": of_pass, "num_frames": count, "interlaced": False}
    frames = pa.table(columns, record_schema(classes))
    commit(OUT, clip.video_id, clip.clip_id, f"{of_pass} {clip.video_id}".encode() * 50, frames, row)


def label_clips(started: Run, clips: list[Clip], *_: object, **__: object) -> Iterator[Row]:
    """In place of the three stages on Ray; errors become rows there, and kills of workers do not reach the driver."""
    for clip in clips:
        failure = None
        try:
            store(clip, started.point.pass_)
        except StorageError as error:
            failure = Failure(
                video_id=clip.video_id,
                clip_id=clip.clip_id,
                source=clip.source,
                stage="finish",
                error=type(error).__name__,
                message=str(error),
            )
        yield Row(clip, Story(costs=Costs(), failure=failure), {})


class Costs(dict):
    def __missing__(self, name: str) -> float:
        return 1.0


@pytest.fixture(autouse=True, scope="module")
def without_ray() -> Iterator[None]:
    """And without what costs time and touches no storage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(work, "label_clips", label_clips)
        patch.setattr(work, "connect", lambda address: Resources(1, 0))
        patch.setattr(work, "Attempts", lambda *_: None)
        patch.setattr(run, "_versions", dict)
        # One that was killed has the number of this process, which cannot be: it is dead at once. Nobody else is here.
        patch.setattr(lease, "SETTLE_SECONDS", 0.0)
        patch.setattr(lease, "BEAT_SECONDS", 1e6)
        patch.setattr(taxonomy, "load", cache(taxonomy.load))
        yield


def segment(of_pass: str) -> Summary:
    with lease.lease(OUT, QUIET) as held:
        sweep(OUT)
        started = Run.start(OUT, POINTS[of_pass], "/in")
        started.write_manifest(TWO)
        return work.do(started, TWO, TWO, [], Summary(), limit=None, address=None, console=QUIET, held=held)


def struck(of_pass: str, at: int, trouble: Trouble, for_good: bool = False) -> list[str]:
    """A run to which this happens at that call; the calls that were made."""
    is_dead = False

    def strike(number: int) -> Trouble | None:
        nonlocal is_dead
        if is_dead:  # what Python still runs, such as ``finally``, a dead process does not
            return Trouble.KILL_BEFORE
        if number == at or (for_good and number > at):
            is_dead = trouble in (Trouble.KILL_BEFORE, Trouble.KILL_AFTER)
            return trouble
        return None

    with faulty(strike) as calls, suppress(Killed, StorageError):
        segment(of_pass)
    return calls


def content() -> dict[str, bytes]:
    """All files but run.json, whose summary tells the last run."""
    return {path: OUT.read(path) for path in OUT.list() if path != RUN}


def check_that_all_is_whole(before: dict[tuple[str, str], str]) -> None:
    """What a reader finds, at any time."""
    now = passes(OUT)
    for key, best in before.items():
        assert now[key] in (best, FULL), "a clip that was done is so no more"
    for key, best in now.items():
        row, frames = read_record(OUT, *key)
        assert (row["pass"], len(frames)) == (best, 4 if best == FULL else 2)
        assert read_mask(OUT, row)
    for path in OUT.list():
        if path == RUN:
            Run.open(OUT)
        elif path == lease.LOCK:
            continue
        elif path.startswith(MASKS):
            assert len(OUT.read(path)) in (len(f"{name} a") * 50 for name in (COARSE, FULL))
        else:
            assert path in (MANIFEST, FAILED, *PATHS.values()) or path.startswith(RECORDS)
            table_of(OUT.read(path))
    tables = {name: table_of(OUT.read(path)) for name, path in PATHS.items() if OUT.exists(path)}
    if "clips" in tables:
        assert all(OUT.exists(path) for path in tables["clips"]["mask_path"].to_pylist()), "a mask is not there"
    if len({table.schema.metadata[BUILD_KEY] for table in tables.values()}) == 1 and len(tables) == len(PATHS):
        rows = tables["clips"].select(["video_id", "num_frames"]).to_pylist()
        assert [name for row in rows for name in [row["video_id"]] * row["num_frames"]] == tables["frames"][
            "video_id"
        ].to_pylist()


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, dict[str, bytes]]:
    done = {}
    for of_pass in (COARSE, FULL):
        faults.clear()
        segment(of_pass)
        done[of_pass] = content()
    assert {path for path in done[FULL] if path.startswith(RECORDS)} == {
        f"{RECORDS}/{video_id}/{clip_id}.parquet" for video_id, clip_id in KEYS
    }
    return done


def finish(undisturbed: dict[str, bytes], of_pass: str) -> None:
    """The same command again, with a good store: let in at once, then once for each clip, the same bytes, tables that
    agree, and no lock that stays."""
    summary = segment(of_pass)
    assert not OUT.exists(lease.LOCK)
    assert (summary.clips_failed, summary.clips_done + summary.clips_before) == (0, len(TWO))
    assert content() == undisturbed


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble.KILL_BEFORE,
        Trouble.LOST,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (Trouble.ERROR, Trouble.PARTIAL, Trouble.STALE)),
    ],
)
def test_at_every_call_of_a_full_pass(undisturbed, trouble):
    """Where the coarse pass has been. To be killed after a call is to be killed before the next one."""
    for at in range(CALLS):
        faults.clear()
        segment(COARSE)
        before = passes(OUT)
        calls = struck(FULL, at, trouble)
        check_that_all_is_whole(before)
        finish(undisturbed[FULL], FULL)
        if at >= len(calls):
            break
    assert 15 < at < CALLS, calls


@given(
    st.lists(
        st.tuples(st.sampled_from([COARSE, FULL]), st.integers(0, CALLS), st.sampled_from(Trouble), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([COARSE, FULL]),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_and_however_often(undisturbed, history, last):
    """Any passes in any order, each struck anywhere; then one that is not."""
    faults.clear()
    for of_pass, at, trouble, for_good in history:
        before = passes(OUT)
        struck(of_pass, at, trouble, for_good)
        check_that_all_is_whole(before)
    if FULL in passes(OUT).values():  # done in full it stays, whatever is asked
        last = FULL
    finish(undisturbed[last], last)


def test_a_store_that_is_full_ends_the_run_with_one_sentence():
    faults.clear()
    with (
        faulty(lambda number: Trouble.FULL if number > 8 else None),
        pytest.raises(StorageError, match="no space left"),
    ):
        segment(FULL)
    check_that_all_is_whole({})
