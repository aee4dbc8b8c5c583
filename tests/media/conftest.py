"""Videos made on the spot, and what a plain decoder says of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.error import FFmpegError
from av.stream import Disposition

from vss_ray.clips import Clip, Video
from vss_ray.media.archive import list_videos
from vss_ray.media.container import open_video
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.parts import parts
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips


@dataclass
class Decoded:
    """What decoding clip by clip gave."""

    video: Video
    clips: list[Clip]
    checksums: list[int]
    seconds: list[float]
    stats: DecodeStats
    damaged: list[str | None]
    """What is told of each clip."""


@pytest.fixture(scope="session")
def moving() -> Callable[..., Iterator[np.ndarray]]:
    """``moving(count, height, width)``: a panned texture with a red square, no two frames alike."""

    def frames(count: int, height: int = 96, width: int = 160) -> Iterator[np.ndarray]:
        noise = np.random.default_rng(0).integers(0, 256, (2 * height, 2 * width, 3), np.uint8)
        texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), np.empty(0), 0, 255, cv2.NORM_MINMAX)
        for number in range(count):
            y, x = number % height, 2 * number % width
            image = texture[y : y + height, x : x + width].copy()
            cv2.rectangle(image, (x, 10), (x + 20, 40), (255, 0, 0), -1)
            yield image

    return frames


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory, moving) -> Callable[..., Path]:
    """``footage(name, count, size, **options of write_video)``: a file, written once."""
    folder = tmp_path_factory.mktemp("footage")

    def make(name: str, count: int = 60, size: tuple[int, int] = (96, 160), **options: Any) -> Path:
        made_so = zlib.crc32(repr((count, size, sorted(options.items(), key=repr))).encode())
        path = folder / f"{made_so:08x}" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_video(path, moving(count, *size), **options)
        return path

    return make


@pytest.fixture(scope="session")
def checksum() -> Callable[[av.VideoFrame], int]:
    """Of a picture's pixels, without the padding of its rows."""

    def of(picture: av.VideoFrame) -> int:
        total = zlib.crc32(f"{picture.width}x{picture.height} {picture.format.name}".encode())
        for plane in picture.planes:
            rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
            sample = (picture.format.components[0].bits + 7) // 8
            used = plane.width * sample if picture.format.is_planar else plane.line_size
            total = zlib.crc32(rows[:, :used].tobytes(), total)
        return total

    return of


@pytest.fixture(scope="session")
def linear(checksum) -> Callable[[Path], list[int]]:
    """``linear(path)``: checksums of all frames, decoded from the beginning in one go, up to the first error."""

    def run(path: Path) -> list[int]:
        found = []
        with open_video(str(path)) as (container, stream):
            stream.thread_type = "NONE"
            try:
                found.extend(checksum(picture) for picture in container.decode(stream))
            except FFmpegError:
                return found
        return found

    return run


@pytest.fixture(scope="session")
def planned() -> Callable[..., tuple[Video, list[Clip]]]:
    """``planned(path, seconds)``: probes and plans; clips whose frames change size are cut where they do."""

    def run(path: Path, seconds: float) -> tuple[Video, list[Clip]]:
        [entry] = list_videos(str(path))
        video = probe(entry)
        return video, [part for clip in plan_clips(video, seconds) for part in parts(clip)]

    return run


@pytest.fixture(scope="session")
def in_clips(checksum, planned) -> Callable[..., Decoded]:
    """``in_clips(path, seconds)``: probes, plans, and decodes every clip."""

    def run(path: Path, seconds: float = 0.5) -> Decoded:
        (video, clips), total = planned(path, seconds), DecodeStats()
        frames, damaged = [], []
        for clip in clips:
            stats = DecodeStats()
            frames += [(checksum(f.picture), f.pts_seconds) for f in decode(clip, stats=stats)]
            met = stats.met(clip)
            assert stats.numbers == list(met["numbers"] or range(clip.start, clip.stop))
            damaged.append(met["damaged"])
            total.decoded += stats.decoded
            total.numbers += stats.numbers
        return Decoded(video, clips, [frame[0] for frame in frames], [frame[1] for frame in frames], total, damaged)

    return run


@pytest.fixture(scope="session")
def remux() -> Callable[..., Path]:
    """``remux(source, target, change)``: copies packets; ``change`` maps their number and bytes to new bytes."""

    def run(source: Path, target: Path, change: Callable[[int, bytes], bytes]) -> Path:
        with av.open(source) as old, av.open(target, "w") as new:
            stream = new.add_stream_from_template(old.streams.video[0])
            stream.disposition = Disposition.default
            kept = (packet for packet in old.demux(video=0) if packet.size)
            for number, packet in enumerate(kept):
                copy = av.Packet(change(number, bytes(packet)))
                copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
                new.mux(copy)
        return target

    return run
