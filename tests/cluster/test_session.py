"""A Ray that is started here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MOST_BYTES, KEPT = 100_000, 2

TALKATIVE = f"""
import ray
from vss_ray.cluster import session

session.SETTINGS["RAY_ROTATION_MAX_BYTES"] = "{MOST_BYTES}"
session.SETTINGS["RAY_ROTATION_BACKUP_COUNT"] = "{KEPT}"
session.connect(None)

@ray.remote
def talk():
    for number in range(20_000):
        print(number, "x" * 100, flush=True)

ray.get(talk.remote())
print(ray._private.worker.global_worker.node.get_logs_dir_path())
"""


@pytest.mark.ray
def test_what_a_worker_prints_does_not_fill_the_disk():
    """2 MB are printed, and the last of it is there to be read."""
    finished = subprocess.run(
        [sys.executable, "-c", TALKATIVE], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    logs = [path for path in Path(finished.stdout.split()[-1]).glob("worker-*.out*") if path.stat().st_size > 1000]
    assert 1 < len(logs) <= 1 + KEPT
    assert max(path.stat().st_size for path in logs) < 1.2 * MOST_BYTES
    assert any("19999 xxx" in path.read_text() for path in logs)
