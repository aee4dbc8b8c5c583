"""Precision that is found out on the archive: once, and the same for every later start."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from vss_ray import config
from vss_ray.cluster.planning import plan_archive
from vss_ray.cluster.segment import segment
from vss_ray.cluster.settle import sampled
from vss_ray.engines import int8, openvino
from vss_ray.errors import RunMismatchError
from vss_ray.media.archive import list_videos
from vss_ray.run import INT8, Run
from vss_ray.storage.location import Location

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not openvino.is_available(), reason="needs OpenVINO"),
    pytest.mark.skipif(not int8.is_available(), reason="needs NNCF"),
]
SMALL = ("segmenter.short_side=64", "keyframes.every=10", "clip_seconds=1")


def run(archive, out, *settings: str, limit: int | None = None):
    point = config.load("evs", [*SMALL, *settings])
    return segment(str(archive), str(out), point, limit=limit, address=None, console=Console(quiet=True))


def test_pictures_come_from_all_over_the_archive_and_broken_files_give_none(local_ray, archive, tmp_path):
    clips = plan_archive(list_videos(str(archive)), 1.0).clips
    shapes = {(clip.height, clip.width, 3) for clip in clips}
    assert len(few := sampled(clips, 3)) == 3
    assert {picture.shape for picture in few} <= shapes
    many = sampled(clips, 5 * len(clips))
    assert len(many) == 5 * len(clips)
    assert len({picture.tobytes() for picture in many}) > len(clips)
    gone = tmp_path / "gone.mp4"
    gone.write_bytes((archive / "a.mp4").read_bytes())
    lost = plan_archive(list_videos(str(gone)), 1.0).clips
    gone.unlink()
    assert sampled(lost, 3) == []


@pytest.mark.slow
def test_int8_is_made_once_and_every_start_uses_the_same(local_ray, archive, tmp_path):
    out = Location.open(tmp_path / "out")
    assert run(archive, out.root, "segmenter.precision=int8", limit=1).clips_done == 1
    graphs = out.read(INT8)
    assert Run.open(out).content()["precision"]["calibrated_on"] > 0
    summary = run(archive, out.root, "segmenter.precision=int8")
    assert (summary.clips_before, summary.clips_failed) == (1, 0)
    assert out.read(INT8) == graphs
    with pytest.raises(RunMismatchError, match=r"segmenter\.precision was 'int8', is 'fp32'"):
        run(archive, out.root, "segmenter.precision=fp32")


@pytest.mark.slow
def test_measured_stores_what_it_found_and_goes_on_with_that(local_ray, archive, tmp_path):
    out = Location.open(tmp_path / "out")
    run(archive, out.root, "segmenter.precision=measured", "segmenter.agreement=1.0", limit=1)
    content = Run.open(out).content()
    found = content["precision"]
    assert found["precision"] == content["operating_point"]["segmenter"]["precision"] == "fp32"
    assert set(found["agreement"]) >= {"fp32", "int8"}
    assert found["agreement"]["int8"] < 1
    assert not out.exists(INT8)
    json.dumps(content)
    assert run(archive, out.root, "segmenter.precision=measured", "segmenter.agreement=1.0").clips_before == 1
