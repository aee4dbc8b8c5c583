"""A trace is a document of the Trace Event Format with one span a stage a clip."""

from __future__ import annotations

import json

import pytest

from vss_ray.clips import Clip
from vss_ray.cluster.rows import Row, Story
from vss_ray.cluster.trace import Trace
from vss_ray.errors import StorageError
from vss_ray.failures import Failure


def _costs(**began: float) -> dict[str, float]:
    costs = {"load_began": 1.0, "load_ended": 2.0}
    for stage, at in began.items():
        costs |= {f"{stage}_began": at, f"{stage}_ended": at + 0.5, f"{stage}_seconds": 0.4}
    return costs


def test_every_stage_is_a_span_on_its_worker_and_networks_load_once(tmp_path):
    trace = Trace(tmp_path / "trace.json")
    places = {"prepare": "a:1", "infer": "b:2", "finish": "a:3"}
    for i in range(2):
        clip = Clip.of_pictures(f"video{i}", 5, 25.0, 8, 8)
        trace.add(Row(clip, Story(_costs(prepare=i + 3.0, infer=i + 4.0, finish=i + 5.0), places=places), {}))
    failure = Failure(video_id="v", clip_id="c", source="s", stage="infer", error="E", message="no")
    clip = Clip.of_pictures("bad", 5, 25.0, 8, 8)
    trace.add(Row(clip, Story(_costs(prepare=9.0), failure, places={"prepare": "a:1"}), {}))
    trace.write()
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert [span["name"] for span in spans].count("load networks") == 1
    assert sum(span["name"] == "prepare" for span in spans) == 3
    assert sum(span["name"] == "finish" for span in spans) == 2
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {"a", "b"}
    first = spans[0]
    assert (first["ts"], first["dur"], first["tid"]) == (0, 1_000_000, 2)
    prepared = next(span for span in spans if span["name"] == "prepare")
    assert (prepared["ts"], prepared["dur"]) == (2_000_000, 500_000)
    assert prepared["args"]["clip"] == "video0/000000000-000000005"


def test_a_file_that_cannot_be_written_is_told_before_the_run(tmp_path):
    with pytest.raises(StorageError, match=r"nowhere/trace\.json: the trace cannot be written there"):
        Trace(tmp_path / "nowhere" / "trace.json")
