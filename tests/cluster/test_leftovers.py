"""What a finished ``vss segment`` leaves on the machine beside OUT: nothing, of Ray's neither."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

START = "import sys; from vss_ray.cli import main; sys.argv = ['vss', *sys.argv[1:]]; main()"
SETTINGS = ["clip_seconds=2", "keyframes.every=5", "segmenter.short_side=32"]


@pytest.mark.slow
@pytest.mark.ray
def test_a_run_takes_its_temporary_files_away(archive: Path, tmp_path: Path) -> None:
    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [sys.executable, "-c", START, "segment", str(archive), str(tmp_path / "out"), *overrides]
    with tempfile.TemporaryDirectory(prefix="v", dir="/tmp") as scratch:  # a short name: Ray makes sockets in it
        environment = {**os.environ, "TMPDIR": scratch, "RAY_TMPDIR": scratch, "RAY_USAGE_STATS_ENABLED": "0"}
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        left = [path for path in Path(scratch).rglob("*") if path.is_file()]
    assert left == []
