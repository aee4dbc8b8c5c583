"""What is kept between processes: never wrong, never half, never too much."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vss_ray import kept

KEY = {"network": "a", "size": [544, 960]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vss-ray" / "graphs"


def recall(content: bytes, key: dict = KEY) -> bytes:
    return kept.recall("graphs", key, lambda: content)


def never() -> bytes:
    raise AssertionError("made again")


def test_made_once(folder):
    assert recall(b"first") == b"first"
    assert kept.recall("graphs", KEY, never) == b"first"
    assert kept.recall("graphs", dict(reversed(KEY.items())), never) == b"first"
    assert recall(b"other", {**KEY, "size": [960, 544]}) == b"other"
    assert kept.recall("shapes", KEY, lambda: b"of another kind") == b"of another kind"
    assert [path.suffix for path in folder.iterdir()] == [".kept"] * 2


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:3], lambda _: b"", lambda c: c[:-1] + b"!"])
def test_a_damaged_file_is_made_again(folder, damage):
    recall(b"first")
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert recall(b"second") == b"second"
    assert kept.recall("graphs", KEY, never) == b"second"


def test_another_version_keeps_its_own(monkeypatch):
    recall(b"first")
    monkeypatch.setattr(kept, "_makers", lambda: {"openvino": "1.0"})
    assert recall(b"second") == b"second"


def test_whoever_fails_leaves_nothing(folder):
    with pytest.raises(ZeroDivisionError):
        kept.recall("graphs", KEY, lambda: bytes(1 // 0))
    assert not folder.exists()


def test_without_a_folder_to_write(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert recall(b"first") == b"first"
    assert recall(b"second") == b"second"


def test_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert recall(b"first") == b"first"


def test_what_was_not_used_for_longest_goes(folder, monkeypatch):
    monkeypatch.setattr(kept, "LIMIT_BYTES", 250)
    for name in "ab":
        recall(bytes(80), {"network": name})
    for path in folder.iterdir():
        os.utime(path, (time.time() - 60,) * 2)
    kept.recall("graphs", {"network": "a"}, never)
    recall(bytes(80), {"network": "c"})
    for name in "ac":
        kept.recall("graphs", {"network": name}, never)
    assert len(list(folder.iterdir())) == 2


def test_what_the_dead_left_goes(folder):
    recall(b"first")
    old, young = folder / "a.1.partial", folder / "a.2.partial"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    recall(b"second", {"network": "b"})
    assert not old.exists()
    assert young.exists()


WRITER = """
from vss_ray import kept
for i in range(400):
    kept.recall("graphs", {"network": i % 4}, lambda: bytes([i % 4]) * 200_000)
    if i % 40 == 0:
        for path in (kept.cache_folder() / "graphs").glob("*.kept"):
            path.unlink(missing_ok=True)
"""


def test_several_processes_at_once_and_one_that_is_killed():
    processes = [subprocess.Popen([sys.executable, "-c", WRITER]) for _ in range(3)]
    for _ in range(300):
        for name in range(4):
            assert recall(bytes([name]) * 200_000, {"network": name}) == bytes([name]) * 200_000
    processes[0].kill()
    assert [process.wait() for process in processes[1:]] == [0, 0]
    processes[0].wait()
    for name in range(4):
        assert recall(bytes([name]) * 200_000, {"network": name}) == bytes([name]) * 200_000
