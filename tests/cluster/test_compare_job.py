"""``jobs/compare.py`` from a labelled drive to a table, a file and a picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import pyarrow.parquet as pq
import pytest

JOB = Path(__file__).parents[2] / "jobs" / "compare.py"
SMALL = [
    "segmenter.weights=random:mobilenet_v2", "segmenter.engine=torch", "segmenter.precision=fp32",
    "segmenter.short_side=64", "segmenter.enlarge=false",
]  # fmt: skip


@pytest.fixture
def job() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_job", JOB)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.ray
def test_one_command_writes_all_three(local_ray, job, tiny_drive, tmp_path, capsys):
    job.write(tiny_drive, tmp_path / "out", ["evs"], [*SMALL], "camvid", True, None)
    text = (tmp_path / "out" / "compare.md").read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    assert "| `per_frame` |" in text
    assert "--set segmenter.short_side=64" in text
    rows = {row["name"]: row for row in pq.read_table(tmp_path / "out" / "compare.parquet").to_pylist()}
    assert [*rows] == ["per_frame", "evs"]
    assert rows["evs"]["core_ms"] == pytest.approx(sum(rows["evs"][f"{s}_ms"] for s in ("prepare", "infer", "finish")))
    assert rows["evs"]["average"] is not None
    assert rows["per_frame"]["difference"] == 0
    image = cv2.imread(str(tmp_path / "out" / "compare.png"))
    assert image is not None
    assert image.shape == (1120, 1800, 3)
