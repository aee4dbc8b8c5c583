"""What a frame costs is measured without Ray."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from vss_ray import config
from vss_ray.cli import app
from vss_ray.cluster import calibrate
from vss_ray.cluster.calibrate import Placement
from vss_ray.cluster.forecast import forecast
from vss_ray.cluster.pipeline import GPU_BATCH, GPU_CLIPS, placement
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips


@pytest.mark.parametrize("which", ["full", "coarse"])
def test_measuring(archive, which, monkeypatch):
    """Three sizes: those of most frames are run, each from its first clip."""
    sets = ["segmenter.short_side=64", "segmenter.engine=torch", "keyframes.every=5", f"pass={which}"]
    point = config.load("evs", sets).resolved(False)
    clips = [clip for entry in list_videos(str(archive)) for clip in plan_clips(probe(entry), 2.0)]
    frames = calibrate.frames_by_size(point, clips)
    if which == "full":
        assert frames == Counter({(96, 128): 60, (80, 112): 45, (64, 96): 30})
        assert list(frames)[:2] == [(96, 128), (80, 112)]
    monkeypatch.setattr(calibrate, "BUDGET_SECONDS", 1.0)
    found = calibrate.measure(point, clips, Placement(device="cpu", batch=1, clips=2))
    assert [(each.height, each.width) for each in found] == list(frames)[: calibrate.MOST_SIZES]
    for costs in found:
        assert min(costs.prepare_seconds, costs.infer_seconds, costs.finish_seconds, costs.infer_clock_seconds) > 0
        assert 0 < costs.pictures_per_frame <= 1
        first = next(clip for clip in clips if (clip.height, clip.width) == (costs.height, costs.width))
        most = first.num_frames if which == "full" else len(first.coarse_frames)
        assert 0 < costs.frames <= most
    if which == "coarse":
        assert [each.pictures_per_frame for each in found] == [1.0] * len(found)
    assert forecast(found, frames).core_hours["prepare"] > 0


@pytest.mark.ray
def test_the_command(local_ray, tmp_path):
    write_video(str(tmp_path / "a.mp4"), (np.full((64, 96, 3), 9 * i, np.uint8) for i in range(20)), fps=10)
    sets = [f"--set={each}" for each in ("segmenter.short_side=64", "segmenter.engine=torch", "keyframes.every=5")]
    command = ["plan", str(tmp_path), *sets, "--json"]
    told = CliRunner().invoke(app, [*command, "--measure", "--gpu-pictures-per-second", "100"])
    assert told.exit_code == 0, told.output
    content = json.loads(told.stdout)
    measured = content.pop("measured")
    (size,) = measured["sizes"]
    assert (size["width"], size["height"], size["frames"], size["device"]) == (96, 64, 20, "cpu")
    assert size["cores_per_gpu"] == pytest.approx(measured["cores_per_gpu"])
    by_hand = (size["prepare_seconds"] + size["finish_seconds"]) / (size["pictures_per_frame"] / 100)
    assert measured["cores_per_gpu"] == pytest.approx(by_hand)
    assert json.loads(CliRunner().invoke(app, command).stdout) == content  # without it, the plan is what it was
    for_people = CliRunner().invoke(app, [*command[:-1], "--measure"])
    assert "--gpu-pictures-per-second N" in " ".join(for_people.stdout.split())


def test_a_gpu_without_measuring_is_refused(tmp_path):
    refused = CliRunner().invoke(app, ["plan", str(tmp_path), "--gpu-pictures-per-second", "100"])
    assert refused.exit_code != 0
    assert "give --measure, too" in str(refused.exception)


def test_a_gpu_is_used_where_there_is_one_by_engines_that_can():
    point = config.load("evs")
    assert placement(point.resolved(True), True) == Placement(device="cuda", batch=GPU_BATCH, clips=GPU_CLIPS)
    assert placement(point.resolved(False), False) == Placement(device="cpu", batch=1, clips=1)
    on_cpu = config.load("evs", ["segmenter.engine=openvino"])
    assert placement(on_cpu.resolved(True), True).device == "cpu"
