"""A command that stood still for so long that another one took its place ends, and leaves the tables to that one."""

from __future__ import annotations

import json
import threading
import time

import pytest
from rich.console import Console

from vss_ray import config
from vss_ray.cluster.segment import segment
from vss_ray.errors import StorageError
from vss_ray.index.tables import PATHS
from vss_ray.storage.commit import committed
from vss_ray.storage.lease import LOCK
from vss_ray.storage.location import Location

QUIET = Console(quiet=True)
OTHER = {"owner": "another one", "host": "elsewhere", "pid": 1, "since": "now", "beat": 0}


def test_who_was_displaced_writes_no_tables(local_ray, archive, tmp_path):
    point = config.load("per_frame", ["clip_seconds=0.5", "segmenter.short_side=64", "segmenter.enlarge=false"])
    out = Location.open(tmp_path / "out")

    def displace() -> None:
        while not out.exists("commits") and not committed(out):
            time.sleep(0.02)
        out.write(LOCK, json.dumps(OTHER).encode())

    meanwhile = threading.Thread(target=displace)
    meanwhile.start()
    with pytest.raises(StorageError, match="stood still for so long that another one took its place"):
        segment(str(archive), out.root, point, limit=None, address=None, console=QUIET)
    meanwhile.join()
    assert committed(out)  # what it had done stays
    assert not any(out.exists(path) for path in PATHS.values())
    assert json.loads(out.read(LOCK)) == OTHER  # and the lock is not its own to give back

    out.delete(LOCK)
    summary = segment(str(archive), out.root, point, limit=None, address=None, console=QUIET)
    assert summary.clips_failed == 0
    assert all(out.exists(path) for path in PATHS.values())
