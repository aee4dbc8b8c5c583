"""Files that ask for more than the limits are refused in one sentence, before the memory for it is taken."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import pytest

from vss_ray import config
from vss_ray.errors import ConfigError, VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.limits import Limits
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips

FAST = {"preset": "ultrafast"}
PEAK = """
import resource, sys
from vss_ray.errors import VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    probe(list_videos(sys.argv[1])[0])
except VideoError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def refused(path: Path, **limits: int) -> str:
    [entry] = list_videos(str(path))
    with pytest.raises(VideoError) as error:
        probe(entry, Limits(**limits))
    return str(error.value)


def png(path: Path, width: int, height: int) -> Path:
    """A black picture: a megabyte or less that becomes a gigabyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def test_each_limit_is_told_with_the_way_to_raise_it(footage) -> None:
    path = footage("closed.mp4", options=FAST)
    assert "frames are 160x96, the limit is 15,000 pixels; take it out, or --set limits.pixels=15360" in refused(
        path, pixels=15_000
    )
    assert "has 60 frames or more, the limit is 50; take it out, or --set limits.frames=100" in refused(path, frames=50)
    assert "has 2 seconds or more, the limit is 2; take it out, or --set limits.seconds=4" in refused(path, seconds=2)
    assert probe(list_videos(str(path))[0], Limits(pixels=160 * 96, frames=60, seconds=2.5)).num_frames == 60


def test_a_stream_without_an_end_is_left_at_the_limit(footage) -> None:
    """Its header tells no number of frames."""
    path = footage("closed.ts", options=FAST)
    assert "has 51 frames or more, the limit is 50" in refused(path, frames=50)


def test_times_that_leap_into_the_far_future(footage) -> None:
    year = 366 * 86_400
    path = footage("leap.mkv", options=FAST, pts=[*range(59), year], time_base=Fraction(1))
    assert "the limit is 604,800; take it out" in refused(path)


def test_a_picture_that_unpacks_to_a_gigabyte_takes_no_memory(tmp_path) -> None:
    path = png(tmp_path / "bomb.mp4", 15_000, 15_000)
    assert path.stat().st_size < 2_000_000
    said = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True).stdout
    sentence, grown = said.splitlines()
    assert "bomb.mp4" in sentence
    assert "its frames are beyond the limit of 134,217,728 pixels (Picture size 15000x15000 exceeds" in sentence
    assert int(grown) < 60_000, "kB"


def test_frames_that_grow_beyond_the_limit_inside_a_stream_are_left_out(footage, tmp_path) -> None:
    path = tmp_path / "grows.ts"
    large = footage("large.ts", size=(480, 640), options=FAST)
    path.write_bytes(footage("small.ts", options=FAST).read_bytes() + large.read_bytes())
    limits, stats = Limits(pixels=100_000), DecodeStats()
    [clip] = plan_clips(probe(list_videos(str(path))[0], limits))
    frames = list(decode(clip, stats=stats, limits=limits))
    assert {frame.size for frame in frames} == {(96, 160)}
    assert len(frames) == 60
    damaged = stats.met(clip)["damaged"]
    assert "60 of 120 frames do not decode" in damaged
    assert "pixel count" in damaged


def test_limits_are_part_of_the_operating_point_and_not_of_its_fingerprint() -> None:
    point = config.load("evs")
    raised = config.load("evs", ["limits.pixels=1000000000", "limits.seconds=1e9"])
    assert (raised.limits.pixels, raised.limits.seconds, raised.limits.frames) == (10**9, 1e9, point.limits.frames)
    assert raised.fingerprint("") == point.fingerprint("")
    assert config.from_dict(raised.to_dict()).limits == raised.limits
    with pytest.raises(ConfigError, match=r"unknown key limits\.pixel; did you mean pixels"):
        config.load("evs", ["limits.pixel=1"])
    with pytest.raises(ConfigError, match="more than 0"):
        config.load("evs", ["limits.frames=0"])
