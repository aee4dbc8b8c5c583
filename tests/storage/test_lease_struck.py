"""Whatever call of a command that takes, keeps or gives back OUT fails, the next one waits a minute at most."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from tests.storage import faults
from tests.storage.faults import Killed, Trouble, faulty
from vss_ray.errors import StorageError
from vss_ray.storage import lease as module
from vss_ray.storage.lease import LOCK, lease
from vss_ray.storage.location import Location
from vss_ray.storage.sweep import sweep

OUT = Location.open("faulty://lease/out")
QUIET = Console(quiet=True)
DEAD = {"owner": "dead", "host": "elsewhere", "pid": 1, "since": "once", "beat": 0}
MOST_CALLS = 60


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(module, "DEAD_SECONDS", 0.1)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(module, "_is_gone", lambda found: False)  # as if all were on other machines


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # a beat dies, too
@pytest.mark.parametrize("trouble", [Trouble.KILL_BEFORE, Trouble.KILL_AFTER, Trouble.ERROR, Trouble.LOST])
@pytest.mark.parametrize("begins", [None, DEAD], ids=["free", "a dead owner"])
def test_at_every_call_of_a_lease(trouble, begins):
    for at in range(MOST_CALLS):
        faults.clear()
        if begins:
            OUT.write(LOCK, json.dumps(begins).encode())
        is_dead = False

        def strike(number: int, at: int = at) -> Trouble | None:
            nonlocal is_dead
            if is_dead:
                return Trouble.KILL_BEFORE
            is_dead = number >= at and trouble in (Trouble.KILL_BEFORE, Trouble.KILL_AFTER)
            return trouble if number == at else None

        with faulty(strike) as calls, suppress(Killed, StorageError), lease(OUT, QUIET) as held:
            time.sleep(0.05)  # some beats
            held.check()
        began = time.monotonic()
        with lease(OUT, QUIET) as held:
            assert time.monotonic() - began < module.DEAD_SECONDS + module.SETTLE_SECONDS + 1
            held.check()
        assert not OUT.exists(LOCK)
        if at >= len(calls):
            break
    assert 3 < at < MOST_CALLS


def test_killed_anywhere_in_a_sweep_the_next_one_does_the_rest(tmp_path, monkeypatch):
    names = [f".{n}.partial" for n in range(4)]
    real = os.unlink
    for at in range(len(names)):
        for name in names:
            (tmp_path / name).write_bytes(b"half")
            os.utime(tmp_path / name, (0, 0))
        left = at

        def unlink(path, *arguments, **options) -> None:
            nonlocal left
            if str(path).endswith(".partial") and str(tmp_path) in str(path):
                left -= 1
                if left < 0:
                    raise Killed("in a sweep")
            real(path, *arguments, **options)

        location = Location.open(tmp_path)
        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(os, "unlink", unlink)
            sweep(location)
        assert len(list(tmp_path.glob(".*.partial"))) == len(names) - at
        with lease(location, QUIET):
            assert sweep(location) == len(names) - at
        assert not [path for path in Path(tmp_path).iterdir() if path.suffix == ".partial"]
