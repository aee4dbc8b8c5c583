"""What a frame costs says what an archive takes: arithmetic."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from vss_ray.cluster.forecast import Costs, cores_per_gpu, forecast, report, table

ON_CPU = Costs(
    height=720,
    width=1280,
    frames=250,
    pictures_per_frame=0.05,
    device="cpu",
    prepare_seconds=0.006,
    infer_seconds=0.003,
    finish_seconds=0.004,
    infer_clock_seconds=0.003,
)
ON_GPU = replace(ON_CPU, device="cuda", infer_seconds=0.0002, infer_clock_seconds=0.0005)
SIZE = (720, 1280)


def test_on_cores_alone():
    found = forecast([ON_CPU], {SIZE: 3_600_000})
    assert found.core_hours == pytest.approx({"prepare": 6.0, "infer": 3.0, "finish": 4.0})
    assert (found.gpu_hours, found.cores_per_gpu) == (None, None)


def test_a_gpu_that_was_measured():
    found = forecast([ON_GPU], {SIZE: 3_600_000})
    assert found.core_hours == pytest.approx({"prepare": 6.0, "infer": 0.2, "finish": 4.0})
    assert found.gpu_hours == pytest.approx(0.5)
    assert found.cores_per_gpu == pytest.approx(20)


def test_a_gpu_that_somebody_else_measured():
    """Of 20 frames it sees one: 500 pictures are 10,000 frames a second, and those take 100 cores."""
    found = forecast([ON_CPU], {SIZE: 3_600_000}, 500)
    assert found.cores_per_gpu == pytest.approx(100)
    assert found.gpu_hours == pytest.approx(0.1)
    assert found.core_hours["infer"] == 0  # of a CPU it was measured, but none will do it
    assert forecast([ON_GPU], {SIZE: 3_600_000}, 500).gpu_hours == pytest.approx(0.1)  # what is told counts


def test_every_size_counts_with_its_frames_and_others_cost_what_the_nearest_does():
    small = replace(ON_CPU, height=360, width=640, prepare_seconds=0.002, finish_seconds=0.001)
    found = forecast([ON_CPU, small], {SIZE: 900_000, (360, 640): 1_800_000, (240, 320): 900_000}, 500)
    assert found.frames == 3_600_000
    assert found.core_hours == pytest.approx({"prepare": 3.0, "infer": 0.0, "finish": 1.75})
    assert found.cores_per_gpu == pytest.approx(47.5)


def test_nothing_of_an_archive():
    found = forecast([ON_CPU], {}, 500)
    assert (found.frames, found.cores_per_gpu) == (0, None)


def test_a_network_that_sees_nothing_keeps_no_gpu_busy():
    assert cores_per_gpu(replace(ON_CPU, pictures_per_frame=0.0), 500) is None


def told(content) -> str:
    text = StringIO()
    Console(file=text, width=200).print(table(content, cores=16))
    return " ".join(text.getvalue().split())


def test_what_people_read():
    without = report([ON_CPU], {SIZE: 3_600_000}, None)
    assert "1280x720" in told(without)
    assert "unknown" in told(without)
    assert "13 core hours, 0.812 h on 16 cores; no GPU here: --gpu-pictures-per-second N says" in told(without)
    assert "10 core hours, 0.625 h on 16 cores, and 0.1 GPU hours; 100.0 cores keep one GPU busy" in told(
        report([ON_CPU], {SIZE: 3_600_000}, 500)
    )
    assert json.loads(json.dumps(without)) == without
    assert without["sizes"][0]["prepare_seconds"] == 0.006
