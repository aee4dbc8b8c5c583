"""What lies in OUT/objects, and the file of ``vss track --init``."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from tests.fuzz.contract import Target
from vss_ray.frames import Planes
from vss_ray.storage.location import Location
from vss_ray.tracking import checkpoint, pointers, regions, things
from vss_ray.tracking.linking import Config, Linker, regions_of
from vss_ray.tracking.pointers import Pointer
from vss_ray.tracking.sightings import SIGHTINGS, Sighting, from_table, of_frame, to_table
from vss_ray.tracking.store import Store
from vss_ray.tracking.target import Target as Where
from vss_ray.tracking.tracker import Tracked

PART = "parts/v/c.forward-0.parquet"
WORDS = (b"PAR1", b"vss.failure", b"null", b"tracked", b"lost", b"\x15\x00")
TENSORS = (b"__metadata__", b"F32", b"F16", b"data_offsets", b"shape", b"objects", b"numbers", b"[", b"1e400", b"-1")
KEYS = (
    b"objects",
    b"id",
    b"video",
    b"at",
    b"mask",
    b"box",
    b"largest",
    b"value",
    b"{",
    b"[",
    b": ",
    b"- ",
    b"*a",
    b"&a",
)


@cache
def _store() -> Store:
    return Store(Location.open("memory://fuzz-objects"))


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="fuzz")
    _folder.kept = folder  # type: ignore[attr-defined]  # until the process ends
    return Path(folder.name)


def _init(data: bytes) -> None:
    path = _folder() / "init.yaml"
    path.write_bytes(data)
    assert all(isinstance(each, Pointer) for each in pointers.read(path))


def _part(data: bytes) -> None:
    _store().location.write(PART, data)
    table, _ = _store().read_part("v", "c", "forward-0", SIGHTINGS)
    for each in from_table(table):
        assert isinstance(each, Sighting)
        assert each.patch.dtype == np.uint8


def _state(data: bytes) -> None:
    for track, known in checkpoint.from_bytes(data).items():
        assert isinstance(track, int)
        assert isinstance(Where(**known["target"]), Where)


def _links(data: bytes) -> None:
    linker = Linker(Config(), 1001)
    gray = things.resumed(linker, data)
    assert gray is None or gray.dtype == np.uint8


def _mask(data: bytes) -> None:
    path = _folder() / "mask.png"
    path.write_bytes(data)
    assert regions.from_png(path, None, (12, 16), "it").any()


def _inits() -> list[bytes]:
    entries = ["mask: a.png, value: 2", "box: [1, 2, 3, 4.5]", "largest: car"]
    lines = [f"  - {{id: {n}, video: a/b.mp4, at: {n}.5, {entry}}}\n" for n, entry in enumerate(entries, 1)]
    return [("objects:\n" + "".join(lines)).encode()]


def _parts() -> list[bytes]:
    probabilities = np.zeros((1, 12, 16), np.float32)
    probabilities[0, 3:8, 4:11] = 0.8
    half = np.full(1, 0.5)
    tracked = Tracked(np.array([3]), probabilities, half, half, ("tracked",), (Where((0.0, 0.0), (1.0, 1.0)),))
    _store().write_part("v", "c", "forward-0", to_table(of_frame(7, 0.28, tracked, {})))
    return [_store().location.read(PART)]


def _states() -> list[bytes]:
    models = {"masks": torch.ones(2, 3), "mask_memory.counters": torch.tensor([1, 1, -1])}
    target = {"center": (4.0, 5.0), "base": (2.0, 2.0), "scale": 1.0, "lost": 0, "scales": (1.0, 1.1)}
    return [checkpoint.to_bytes({3: {"target": target, "age": 4, "models": models}}), checkpoint.to_bytes({})]


def _linked() -> list[bytes]:
    linker, ids = Linker(Config(), 1001), np.full((12, 16), 3, np.uint8)
    ids[2:8, 3:9] = 8
    planes = Planes(ids, ids[::2, ::2], ids[::2, ::2])
    for n in range(4):
        linker.step(*regions_of(ids, [8], 0.01), planes, np.zeros((12, 16, 2), np.float32) if n else None, n / 10)
    return [things.kept(linker, planes.y)]


def _masks() -> list[bytes]:
    mask = np.zeros((12, 16), bool)
    mask[2:5, 3:9] = True
    return [regions.packed(mask)]


TARGETS = (
    Target("init", _init, _inits, words=KEYS, is_guided=True),
    Target("part", _part, _parts, (ValueError,), words=WORDS),
    Target("state", _state, _states, (ValueError,), words=TENSORS, is_guided=True),
    Target("links", _links, _linked, (ValueError,), words=TENSORS, is_guided=True),
    Target("mask_png", _mask, _masks),
)
