"""One at a time works on an output; who is dead does not keep it, who is alive does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress

import pytest
from rich.console import Console

from vss_ray.errors import StorageError
from vss_ray.storage import lease as module
from vss_ray.storage.lease import LOCK, lease
from vss_ray.storage.location import Location

QUIET = Console(quiet=True)


@pytest.fixture(params=["disk", "memory", pytest.param("s3", marks=pytest.mark.s3)])
def location(request, tmp_path) -> Location:
    if request.param == "disk":
        return Location.open(tmp_path / "out")
    root = "memory:/" if request.param == "memory" else request.getfixturevalue("s3").url
    return Location.open(f"{root}/{uuid.uuid4().hex}")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(module, "DEAD_SECONDS", 0.6)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.2)


def test_only_the_first_creates(location):
    assert location.create("x", b"1")
    assert not location.create("x", b"2")
    assert location.read("x") == b"1"
    location.delete("x")
    assert location.create("x", b"3")


def test_it_goes_when_the_work_is_done_or_fails(location):
    def fail() -> None:
        with lease(location, QUIET):
            assert json.loads(location.read(LOCK))["pid"]
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert location.list() == []


def test_an_owner_elsewhere_is_watched(location, quick):
    """One that beats is left alone; one that does not is dead, whatever its clock says."""
    stopped = threading.Event()
    other = {"owner": "other", "host": "elsewhere", "pid": 1, "since": "2100-01-01 00:00:00Z"}
    location.write(LOCK, json.dumps({**other, "beat": 0}).encode())
    beating = threading.Thread(target=module._beat, args=(module.Held(location, "other"), other, stopped))
    beating.start()
    try:
        with (
            pytest.raises(StorageError, match="is being worked on by process 1 on elsewhere, since 2100"),
            lease(location, QUIET),
        ):
            pass
    finally:
        stopped.set()
        beating.join()
    with lease(location, QUIET):
        assert json.loads(location.read(LOCK))["owner"] != "other"
    assert location.list() == []


def test_a_process_that_was_killed_keeps_nobody_waiting(tmp_path):
    location = Location.open(tmp_path)
    script = (
        "import sys, time; from rich.console import Console; from vss_ray.storage import lease\n"
        "from vss_ray.storage.location import Location; lease.BEAT_SECONDS = 0.05\n"
        "with lease.lease(Location.open(sys.argv[1]), Console(quiet=True)): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match=f"process {process.pid} on"), lease(location, QUIET):
            pass
        process.kill()
        process.wait()
    with lease(location, Console(file=sys.stderr)):
        assert json.loads(location.read(LOCK))["pid"] != process.pid


def test_a_lock_that_cannot_be_understood_is_nobodys(tmp_path):
    location = Location.open(tmp_path)
    for content in (b"", b"[]", b"{", b"\xff"):
        location.write(LOCK, content)
        with lease(location, QUIET):
            pass


def test_of_two_that_find_the_same_owner_dead_only_one_works(location, quick, monkeypatch):
    """The second is about to write its name over the dead one's while the first has done so."""
    location.write(LOCK, json.dumps({"owner": "dead", "host": "elsewhere", "pid": 1, "beat": 0}).encode())
    monkeypatch.setattr(module, "_is_gone", lambda found: False)  # both are this one process here
    entered, at_work, refused = threading.Barrier(2), [], []
    real = Location.write

    def write(self, path, data):
        if path == LOCK and not at_work:
            with suppress(threading.BrokenBarrierError):
                entered.wait(1.0)  # both have judged it dead
            if threading.current_thread().name == "late":
                time.sleep(0.1)
        real(self, path, data)

    monkeypatch.setattr(Location, "write", write)

    def work() -> None:
        try:
            with lease(location, QUIET):
                at_work.append(threading.current_thread().name)
                time.sleep(2.0)
        except StorageError:
            refused.append(threading.current_thread().name)

    both = [threading.Thread(target=work, name=name) for name in ("early", "late")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert (len(at_work), len(refused)) == (1, 1)


def test_a_process_of_another_container_or_start_is_not_taken_for_one_of_here(tmp_path, quick):
    """Its number says nothing about who is alive: it is watched."""
    location = Location.open(tmp_path)
    with lease(location, QUIET):
        mine = json.loads(location.read(LOCK))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine |= {"owner": "other", "pid": gone.pid}
    assert module._is_gone(mine)
    for name in ("boot", "pid_namespace", "host"):
        assert not module._is_gone(mine | {name: "another"})
        assert not module._is_gone({key: value for key, value in mine.items() if key != name})
    location.write(LOCK, json.dumps(mine | {"boot": "another"}).encode())
    began = time.monotonic()
    with lease(location, QUIET):
        assert time.monotonic() - began >= module.DEAD_SECONDS


def test_who_was_displaced_notices(location, quick):
    with lease(location, QUIET) as held:
        held.check()
        location.write(LOCK, json.dumps({"owner": "other"}).encode())
        with pytest.raises(StorageError, match="another one took its place"):
            held.check()
    assert json.loads(location.read(LOCK)) == {"owner": "other"}
    location.delete(LOCK)
    with lease(location, QUIET) as held:
        location.write(LOCK, json.dumps({"owner": "other"}).encode())
        time.sleep(5 * module.BEAT_SECONDS)
        with pytest.raises(StorageError, match="another one took its place"):
            held.check(look=False)


def test_a_lock_that_went_away_is_no_reason_to_stop(location, quick):
    with lease(location, QUIET) as held:
        location.delete(LOCK)
        held.check()
