"""A run waits for S3, other commands say soon that it is away; who sets botocore's variables decides."""

from __future__ import annotations

import os
import random
import uuid

import pytest
import s3fs
from botocore.retries.standard import ExponentialBackoff, RetryContext

from tests.storage import fault_proxy as faulty
from vss_ray.errors import StorageError
from vss_ray.storage.location import Location
from vss_ray.storage.patience import DEFAULTS, patient


@pytest.fixture
def unset(monkeypatch):
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)


def test_it_lasts_as_long_as_the_run(unset, monkeypatch):
    with patient():
        assert {name: os.environ[name] for name in DEFAULTS} == DEFAULTS
    assert not DEFAULTS.keys() & os.environ.keys()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    with patient():
        assert os.environ["AWS_MAX_ATTEMPTS"] == "2"
    assert os.environ["AWS_MAX_ATTEMPTS"] == "2"


def test_a_minute_is_waited_out():
    """By botocore's own arithmetic; connections that are refused at once are the worst case."""
    chance = random.Random(0)
    backoff, attempts = ExponentialBackoff(random=chance.random), int(DEFAULTS["AWS_MAX_ATTEMPTS"])
    waits = [
        sum(backoff.delay_amount(RetryContext(attempt_number=number)) for number in range(1, attempts))
        for _ in range(2000)
    ]
    assert sum(wait < 60 for wait in waits) / len(waits) < 0.01
    assert 95 < sum(waits) / len(waits) < 115


@pytest.mark.s3
def test_botocore_does_as_it_is_told(s3, unset):
    with patient():
        filesystem = s3fs.S3FileSystem()
        filesystem.connect()
        retries = filesystem.s3.meta.config.retries
        assert (retries["mode"], retries["total_max_attempts"]) == ("standard", 15)


@pytest.mark.s3
def test_what_a_run_meets(s3, unset, monkeypatch):
    """Storms pass and are not noticed; what does not pass is one sentence."""
    with faulty.FaultProxy(s3.endpoint) as proxy, monkeypatch.context() as environment, patient():
        environment.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        location = Location.open(f"{s3.url}/{uuid.uuid4().hex}")
        proxy.faults = faulty.storm(0.25, *faulty.ANY, seed=3)
        for i in range(12):
            location.write(f"{i:02d}", bytes([i]) * 1000)
        assert [location.read(f"{i:02d}") for i in range(12)] == [bytes([i]) * 1000 for i in range(12)]
        assert location.list() == [f"{i:02d}" for i in range(12)]
        assert sum(proxy.done[fault.name] for fault in faulty.ANY) >= 5
        for fault, sentence in (
            (faulty.DENIED, r"access is denied \(AccessDenied\)"),
            (faulty.EXPIRED, "the keys have expired; get new ones and run the same command again"),
            (faulty.SKEWED, "the clock of this machine is wrong; set it"),
        ):
            proxy.faults = faulty.writes(fault)
            with pytest.raises(StorageError, match=sentence):
                location.write("00", b"new")
        proxy.faults = faulty.none
        assert location.read("00") == bytes(1000)
    s3fs.S3FileSystem.clear_instance_cache()
