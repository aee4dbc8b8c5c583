"""What lies in OUT: commit records, the plan, failures, run.json."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pyarrow as pa

from tests.fuzz.contract import Target
from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.failures import Failure
from vss_ray.labels import taxonomy
from vss_ray.run import FAILED, MANIFEST, RUN, Run
from vss_ray.storage.commit import commit, read_record
from vss_ray.storage.location import Location

RECORD = "commits/v/c.parquet"
FRAMES = pa.table(
    {
        "frame": pa.array(range(6), pa.int64()),
        "video_id": ["v"] * 6,
        "pts_seconds": np.arange(6) / 25,
        "is_keyframe": [True, *[False] * 5],
        "area": pa.FixedSizeListArray.from_arrays(np.linspace(0, 1, 12, dtype=np.float32), 2),
        "embedding": pa.array([np.ones(2, np.float16), *[None] * 5], pa.list_(pa.float16())),
    }
)
WORDS = (b"PAR1", b"ARROW:schema", b"vss.clip", b"null", b"[]", b"{}", b'"":', b"1e400", b"true", b"\x15\x00", b"\x2c")


@cache
def _out() -> Location:
    return Location.open("memory://fuzz")


@cache
def _run() -> Run:
    return Run(_out(), config.load("per_frame"), taxonomy.load("camvid"), "/archive", "f")


def _record(data: bytes) -> None:
    _out().write(RECORD, data)
    row, frames = read_record(_out(), "v", "c")
    assert isinstance(row, dict)
    frames.validate(full=True)


def _manifest(data: bytes) -> None:
    _out().write(MANIFEST, data)
    for row in _run().manifest_rows():
        assert isinstance(Clip.from_row(row).num_frames, int)


def _failures(data: bytes) -> None:
    _out().write(FAILED, data)
    assert all(isinstance(each, Failure) for each in _run().failures())


def _run_json(data: bytes) -> None:
    _out().write(RUN, data)
    run = Run.open(_out())
    assert isinstance(run.source, str)
    assert len(run.taxonomy.palette()) == run.taxonomy.void + 1


def _records() -> list[bytes]:
    commit(
        _out(), "v", "c", b"mask", FRAMES, {"width": 32, "height": 24, "start": 0, "embedding": [0.5], "audit": None}
    )
    return [_out().read(RECORD)]


def _manifests() -> list[bytes]:
    _run().write_manifest([Clip.of_pictures(name, 50, 25.0, 24, 32) for name in ("a", "b")])
    return [_out().read(MANIFEST)]


def _failure_files() -> list[bytes]:
    failure = Failure(video_id="v", clip_id=None, source="/a", stage="plan", error="VideoError", message="no")
    _run().write_failures([failure])
    return [_out().read(FAILED)]


def _run_files() -> list[bytes]:
    point = _run().point.to_dict()
    content = {"fingerprint": "f", "source": "/a", "operating_point": point, "taxonomy": _run().taxonomy.to_dict()}
    return [json.dumps(content).encode()]


TARGETS = (
    Target("record", _record, _records, words=WORDS, is_guided=True),
    Target("manifest", _manifest, _manifests, words=WORDS),
    Target("failures", _failures, _failure_files, words=WORDS),
    Target("run", _run_json, _run_files, words=WORDS),
)
