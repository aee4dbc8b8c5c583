"""Exit codes, one-sentence refusals, and ``--json`` that is nothing but JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def vss(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("vss")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("segment", "/nowhere", "OUT"), "/nowhere"),
        (("segment", "/nowhere", "OUT", "--config", "evz"), "there is evs"),
        (("segment", "/nowhere", "OUT", "--set", "keyframes.evry=3"), "did you mean every"),
        (("segment", "/nowhere", "OUT", "--set", "method.name=evz"), "there is dcfm, evs, gsvnet, lmanet, per_frame"),
        (("segment", "/nowhere", "OUT", "--set", "segmenter.weights=none"), "/nowhere"),
        (("search", "/nowhere", "car > 1%"), "holds no run"),
        (("status", "/nowhere"), "holds no run"),
        (("refine", "/nowhere", "car > 1%"), "holds no run"),
        (("segment", "/nowhere", "OUT", "--set", "pass=fast"), "'full' or 'coarse'"),
        (("export", "/nowhere", "DEST", "--format", "gif"), "holds no run"),
        (("evaluate", "kitti", "/nowhere"), "there is camvid"),
        (("evaluate", "camvid", "/nowhere"), "/nowhere"),
        (("evaluate", "camvid", "/nowhere", "--every", "5,x"), "5,x"),
        (("segment",), "Missing argument"),
        (("segment", "/nowhere", "OUT", "--limit", "0"), "--limit"),
        (("segment", "/videos/[old]", "OUT"), "/videos/[old]"),
        (("train", "everything", "--data", "/nowhere", "--out", "x.safetensors"), "there is segmenter"),
    ],
)
def test_refusals_are_one_sentence_and_exit_code_one(arguments, told, tmp_path):
    finished = vss(*(str(tmp_path / a) if a in ("OUT", "DEST") else a for a in arguments))
    assert finished.returncode == 1
    assert told in " ".join(finished.stderr.split())
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_an_output_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "file").write_text("")
    finished = vss("segment", str(tmp_path / "a.mp4"), str(tmp_path / "file" / "out"))
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr


@pytest.mark.ray
def test_a_plan_is_json_and_nothing_else_and_names_what_is_unreadable(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    finished = vss("plan", str(tmp_path), "--json")
    assert finished.returncode == 0, finished.stderr
    content = json.loads(finished.stdout)
    assert (content["videos"], content["clips"], len(content["unreadable"])) == (1, 0, 1)
    assert "a.mp4" in content["unreadable"][0]["message"]


@pytest.mark.ray
def test_an_archive_of_nothing_but_damage_ends_with_exit_code_two(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    finished = vss("segment", str(tmp_path), str(tmp_path / "out"), "--json")
    assert finished.returncode == 2, finished.stderr
    assert json.loads(finished.stdout)["videos_failed"] == 1
    status = json.loads(vss("status", str(tmp_path / "out"), "--json").stdout)
    assert [Path(failure["source"]).name for failure in status["failed"]] == ["a.mp4"]
