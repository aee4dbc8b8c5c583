"""The proxy passes everything on unchanged, and does what it is told to; s3fs gets over what passes."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
import s3fs

from tests.storage import fault_proxy as faulty
from vss_ray.errors import StorageError
from vss_ray.storage.location import Location

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def proxy(s3) -> Iterator[faulty.FaultProxy]:
    with faulty.FaultProxy(s3.endpoint) as running:
        yield running


@pytest.fixture
def location(s3, proxy, monkeypatch) -> Iterator[Location]:
    """Behind the proxy, without patience."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    yield Location.open(f"{s3.url}/{uuid.uuid4().hex}")
    proxy.faults = faulty.none
    s3fs.S3FileSystem.clear_instance_cache()


def test_what_goes_through_is_unchanged(location, proxy):
    small, large = os.urandom(1000), os.urandom(12_000_000)
    proxy.faults = faulty.latency(0.05)
    began = time.monotonic()
    location.write("a b/ü+%25.bin", small)
    assert time.monotonic() - began >= 0.05
    proxy.faults = faulty.none
    location.write("large.bin", large)
    assert location.read("a b/ü+%25.bin") == small
    assert location.read("large.bin") == large
    assert location.size("large.bin") == len(large)
    with location.open_input("large.bin") as file:
        file.seek(7_000_000)
        assert file.read(1000) == large[7_000_000:7_001_000]
    assert location.list() == ["a b/ü+%25.bin", "large.bin"]
    location.delete("large.bin")
    assert location.list() == ["a b/ü+%25.bin"]
    assert not location.exists("large.bin")


@pytest.mark.parametrize("fault", faulty.ANY, ids=lambda fault: fault.name)
def test_what_passes_is_made_again_and_nothing_is_half(location, proxy, fault):
    location.write("old.bin", b"old" * 1000)
    before, left = proxy.done[fault.name], [fault]
    proxy.faults = lambda method, path: left.pop() if left and "bin" in path else None
    try:
        location.write("old.bin", new := b"new!" * 1000)
    except StorageError:  # s3fs alone makes only some of them again
        assert location.read("old.bin") in (b"old" * 1000, new)
    else:
        assert location.read("old.bin") == new
    left.append(fault)
    with suppress(StorageError):
        assert location.read("old.bin") in (b"old" * 1000, new)
    assert proxy.done[fault.name] - before == 2


def test_a_bucket_that_can_only_be_read(location, proxy):
    location.write("x", b"1")
    proxy.faults = faulty.writes(faulty.DENIED)
    with pytest.raises(StorageError, match=r"access is denied \(AccessDenied\)"):
        location.write("x", b"2")
    assert location.read("x") == b"1"


def test_a_storm_repeats_itself():
    struck = [faulty.storm(0.3, *faulty.ANY, seed=7) for _ in range(2)]
    first, second = ([strike("GET", "/x") for _ in range(200)] for strike in struck)
    assert first == second
    assert 30 < len([fault for fault in first if fault]) < 90
