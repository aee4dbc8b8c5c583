"""Parts measure what they say, at sizes that take seconds."""

from __future__ import annotations

import cProfile
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from vss_ray.cluster.benchmark import camera, coarse, frame, labels, limits, masks, memory, plumbing, sides, tables
from vss_ray.cluster.benchmark.settings import SMOKE, Settings
from vss_ray.ops.upsample import upsample_labels

SMALL = ["segmenter.short_side=64", "method.motion_side=64", limits.AT_EVERY]


@pytest.fixture
def video(archive):
    return str(archive / "a.mp4")


def test_limits(video):
    found = limits.decoding(video, SMALL, 2.0, 2)
    assert len(found["decode_ms"]) == len(found["prepare_ms"]) == 2
    assert 0 < min(found["decode_ms"]) < min(found["prepare_ms"])
    network = limits.network(video, SMALL, 2, 16)
    assert network["gflop"] > 0
    assert network["gflops"] == pytest.approx([network["gflop"] * each for each in network["pictures_per_second"]])
    processor = limits.processor(16, 1000, 2)
    assert "fp32" in processor["peaks"]
    assert len(processor["gigabytes"]) == 2


def test_frame(video):
    found = frame.measure(video, SMALL, 2.0, 1)
    assert all(found[name][0] > 0 for name in ("decode", "prepare", "infer", "finish"))
    assert any(name.startswith("ops/upsample") for name in found["profile"])


def test_own_seconds_give_what_libraries_take_to_their_callers():
    scores = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    profile = cProfile.Profile()
    profile.runcall(lambda: [upsample_labels(scores, 64, 64) for _ in range(3)])
    own = frame.own_seconds(profile)
    assert next(iter(own)).startswith("ops/upsample")
    assert sum(own.values()) <= sum(row.totaltime for row in profile.getstats()) + 1e-6


def test_masks(video):
    found = masks.measure(video, SMALL, 2.0, 5, 1)
    assert found["count"] == 5
    assert {"ffv1", "h264"} <= set(found["codecs"])
    assert all(values["bytes"] > 0 for values in found["codecs"].values())


def test_coarse(video):
    found = coarse.measure(video, SMALL, 1)
    assert found["seconds"] == pytest.approx(6.0, abs=0.2)
    assert found["coarse"][0] < found["full"][0]


def test_camera(video):
    schedules = {camera.FIXED: [limits.AT_EVERY], "dense": ["keyframes.every=5"]}
    found = camera.measure(video, SMALL[:2], schedules)
    fixed, dense = found["schedules"][camera.FIXED], found["schedules"]["dense"]
    assert fixed["runs"] < dense["runs"] < fixed["pictures"] == found["pictures"] == 60
    assert fixed["agreement"] <= dense["agreement"] + 0.02
    assert 0 < found["repeated"] <= 1


def test_runs_are_read_off_between_settings():
    tried = [(0.90, 10), (0.94, 20), (0.98, 60)]
    assert camera.runs_for(0.92, 30, tried) == pytest.approx((10 * 20) ** 0.5)
    assert camera.runs_for(0.94, 30, tried) == 20
    assert camera.runs_for(0.99, 30, tried) == 30
    assert camera.runs_for(0.80, 30, tried) == 10
    assert camera.runs_for(0.92, 30, [(0.90, 10), (0.94, 9)]) == 9


def test_foresight_places_keyframes_where_labels_change():
    labels = np.zeros((101, 2, 2), np.uint8)
    labels[50:] = 1
    # Every picture has one of the keyframes' labels around it in both cases, and two keyframes are enough for that.
    assert camera.foresight(labels, 20, 240) == 6 / 2
    changing = np.arange(101, dtype=np.uint8)[:, None, None] // 2
    assert camera.foresight(changing, 2, 240) == pytest.approx(1.0, abs=0.05)


def test_labels_are_those_of_torch():
    found = labels.measure(1)
    assert found["torch"][0] > found["ours"][0] > 0


def test_sides_are_held_against_each_other_and_against_their_limits():
    def cost(speed: float, **stages: float) -> dict[str, float]:
        costs = {f"{stage}_ms": stages.get(stage, 1.0) for stage in ("prepare", "infer", "finish")}
        rest = {"peak_memory_bytes": 1e9, "start_seconds": 5.0, "busy_cores": 1.5, "frames": 100.0}
        more = {"core_ms": sum(costs.values()), "network_pictures": 10.0}
        return {"frames_per_second": speed, **costs, **rest, **more}

    rounds = {
        sides.USER: [cost(2.0), cost(4.0)],
        sides.PER_FRAME: [cost(20.0), cost(24.0)],
        sides.EVS: [cost(100.0, prepare=9.0), cost(120.0, prepare=8.0)],
    }
    figures = sides.figures("1280x720", "1280x720, default", "default", rounds)
    found = {(figure.case.rpartition(": ")[2], figure.name): figure for figure in figures}
    assert found[sides.EVS, "over user"].values == (50.0, 30.0)
    assert found[sides.EVS, "over user"].goal == 30.0
    assert found[sides.EVS, "over per_frame"].values == (5.0, 5.0)
    assert found[sides.PER_FRAME, "over user"].goal is None
    floor = {"decode_ms": [2.0], "prepare_ms": [4.0], "networks": {"default": {"pictures_per_second": [20.0]}}}
    assert "prepare, 8.00 of 10.00 core ms a frame; decoding alone is 2.00" in sides.bottleneck(
        rounds[sides.EVS], floor, "default"
    )
    slow = [cost(10.0, infer=10.0)]
    assert "infer, 10.00 of 12.00 core ms a frame: 2.00 times the network alone" in sides.bottleneck(
        slow, floor, "default"
    )


def test_the_bare_loop_does_every_clip(video, tmp_path):
    assert plumbing.bare(video, str(tmp_path), SMALL, 2) > 0
    assert len(list((tmp_path / "commits").rglob("*.parquet"))) == 1


@pytest.mark.slow
@pytest.mark.ray
def test_a_part_with_a_ray_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("VSS_TEST_DATA", raising=False)
    settings = Settings(
        work=tmp_path,
        console=Console(quiet=True),
        archives=("480x360",),
        overrides=("segmenter.short_side=64", "method.motion_side=64"),
        sizes=replace(SMOKE, lengths=(2.0, 2.0)),
    )
    result = memory.run(settings)
    found = {figure.name: figure.median for figure in result.figures}
    assert found["frames in flight"] == pytest.approx(50 * 480 * 360 * 3 / 1e6)
    assert 0 < found["largest process"] < 10
    assert "largest process" in tables.markdown(result.figures)
    assert not (tmp_path / "memory").exists()
