"""A Ray that is started here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST_BYTES, KEPT = 100_000, 2

TALKATIVE = f"""
import json, time
from pathlib import Path
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
folder = Path(ray._private.worker.global_worker.node.get_logs_dir_path())
deadline, texts = time.monotonic() + 10, []
while time.monotonic() < deadline and not any("19999 xxx" in text for text in texts):
    texts = [path.read_text() for path in folder.glob("worker-*.out*")]
print(json.dumps([[len(text), "19999 xxx" in text] for text in texts if " xxx" in text]))
"""


@pytest.mark.ray
def test_what_a_worker_prints_does_not_fill_the_disk():
    """2 MB are printed; the last of it is there to be read, the first is gone."""
    finished = subprocess.run(
        [sys.executable, "-c", TALKATIVE], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    sizes, are_last = zip(*json.loads(finished.stdout.splitlines()[-1]), strict=True)
    assert 1 < len(sizes) <= 1 + KEPT
    assert max(sizes) < 1.2 * MOST_BYTES
    assert any(are_last)
