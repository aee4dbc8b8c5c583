"""A Ray that is started here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from vss_ray.cluster import session

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
    # Tests before this one may have connected in this process, which sets the variables for good.
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_ROTATION")}
    finished = subprocess.run(
        [sys.executable, "-c", TALKATIVE], capture_output=True, text=True, timeout=120, check=False, env=env
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    sizes, are_last = zip(*json.loads(finished.stdout.splitlines()[-1]), strict=True)
    assert 1 < len(sizes) <= 1 + KEPT
    assert max(sizes) < 1.2 * MOST_BYTES
    assert any(are_last)


def test_folders_of_killed_processes_are_taken_away(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name, owner in {"session_dead": dead.pid, "session_alive": os.getpid(), "session_odd": "no number"}.items():
        (tmp_path / name / "logs").mkdir(parents=True)
        (tmp_path / name / session.OWNER).write_text(str(owner))
    (tmp_path / "session_of_others").mkdir()
    session.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"session_alive", "session_odd", "session_of_others"}
