"""Three real videos of different size, rate and codec through the whole job; the accuracy that the README promises."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("udacity_solidYellowLeft_540p.mp4", "intel_car-detection.mp4", "opencv_vtest_40s.avi")


def vss(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("vss")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
@pytest.mark.ray
def test_three_videos_of_different_size_rate_and_codec(test_data, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    for name in NAMES:
        shutil.copy(test_data / "videos" / name, source)
    finished = vss("segment", str(source), str(out), "--config", "evs", "--set", "audit=0.01", "--json")
    assert finished.returncode == 0, finished.stderr[-2000:]
    summary = json.loads(finished.stdout)
    assert summary["frames"] == 681 + 377 + 400
    assert summary["audit"]["agreement"]["mean"] > 0.8
    hits = json.loads(vss("search", str(out), "road > 20% for 2s in 'udacity*'", "--json").stdout)
    assert hits, "a dash-cam that never sees a road"
    assert {Path(hit["source"]).name for hit in hits} == {NAMES[0]}


@pytest.mark.slow
@pytest.mark.ray
def test_the_default_network_and_both_keyframes_keep_their_promises(test_data):
    arguments = ("evaluate", "camvid", str(test_data / "camvid"), "--every", "5,10,20", "--json")
    rows = {row["name"]: row for row in json.loads(vss(*arguments).stdout)}
    assert rows["per_frame"]["mean_iou"] >= 0.72
    assert rows["evs, both, every 5"]["difference"] >= 0
    assert rows["evs, both, every 10"]["difference"] >= -0.005
    assert rows["evs, both, every 20"]["difference"] >= -0.017
    for every in (5, 10, 20):
        both, forward = rows[f"evs, both, every {every}"], rows[f"evs, forward, every {every}"]
        assert both["mean_iou"] > forward["mean_iou"]
        assert both["vc8"] > rows["per_frame"]["vc8"]
