"""A small archive with names that mean harm, finished by hand: masks whose place follows from the frame number."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import uvicorn
from starlette.testclient import TestClient

from tests.followed import commit_object
from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.index.build import compact
from vss_ray.index.schema import record_schema
from vss_ray.index.tracks import compact_tracks
from vss_ray.labels import taxonomy
from vss_ray.masks import ffv1
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location
from vss_ray.viewer.app import build
from vss_ray.viewer.serve import settings

CAMVID = taxonomy.load("camvid")
SKY, ROAD, CAR, PEDESTRIAN = (CAMVID.index(name) for name in ("sky", "road", "car", "pedestrian"))
HEIGHT, WIDTH, RATE = 96, 160, 12.5
HOSTILE = """<script>alert(1)</script>'"&{{7*7}}\n.mp4"""
LONG = f"{'a' * 150}/{'b' * 146}.mp4"
BITS = 8


def picture(index: int) -> np.ndarray:
    """The frame's number as black and white blocks along the top; gray below."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for bit in range(BITS):
        image[:24, bit * 20 : bit * 20 + 20] = 235 if index >> bit & 1 else 16
    return image


def labels(index: int) -> np.ndarray:
    """Sky over road; a car that goes to the right, and from frame 60 to 80 a pedestrian."""
    ids = np.full((HEIGHT, WIDTH), SKY, np.uint8)
    ids[HEIGHT // 2 :] = ROAD
    ids[48:72, index : index + 40] = CAR
    if 60 <= index < 80:
        ids[40:90, 4:20] = PEDESTRIAN
    ids[:, -2:] = CAMVID.void
    return ids


def write_archive(folder: Path) -> None:
    """One video to look at, two that no browser plays, and two with names to be afraid of."""
    for name in (HOSTILE, LONG):
        (folder / name).parent.mkdir(parents=True)
    write_video(folder / "drive.mp4", map(picture, range(100)), fps=Fraction("12.5"), gop=10)
    write_video(folder / "other.mkv", map(picture, range(30)), fps=Fraction("12.5"), codec="ffv1")
    write_video(folder / "old.avi", map(picture, range(30)), fps=Fraction("12.5"), codec="mpeg4", gop=15)
    for name in (HOSTILE, LONG):
        write_video(folder / name, map(picture, range(25)), fps=Fraction("12.5"), gop=10)


def write_run(out: Location, source: str) -> Run:
    """OUT of a run over an archive whose frames are ``picture``s; all clips are done."""
    point = config.load("per_frame")
    content = {"source": source, "operating_point": point.to_dict(), "taxonomy": CAMVID.to_dict(), "fingerprint": "f"}
    out.write("run.json", json.dumps(content).encode())
    run = Run.open(out)
    clips = [clip for entry in list_videos(source) for clip in plan_clips(probe(entry), 4.0)]
    run.write_manifest(sorted(clips, key=lambda clip: (clip.video_id, clip.start)))
    for clip in clips:
        commit_clip(out, clip)
        commit_object(out, clip, RATE)
    compact(out)
    compact_tracks(out)
    return run


def commit_clip(out: Location, clip: Clip) -> None:
    """Masks and rows of one clip; every fifth frame is a keyframe."""
    numbers = range(clip.start, clip.stop)
    ids = [labels(n) for n in numbers]
    schema = record_schema(len(CAMVID))
    rows = [
        {
            "video_id": clip.video_id,
            "clip_id": clip.clip_id,
            "frame": n,
            "pts_seconds": n / RATE,
            "is_keyframe": n % 5 == 0,
            "key_distance": min(n % 5, -n % 5),
            "unreliable": 0.02 * (n % 5),
            "agreement": 0.9 if n % 10 == 3 else None,
            "self_agreement": None,
            "pass": "full",
            "area": (np.bincount(each.ravel(), minlength=256)[: len(CAMVID)] / each.size).astype(np.float32),
            "grid": np.zeros(9 * len(CAMVID), np.uint8),
            "objects": np.zeros(len(CAMVID), np.uint16),
            "embedding": np.eye(4, dtype=np.float16)[n // 25 % 4] if n % 5 == 0 else None,
        }
        for n, each in zip(numbers, ids, strict=True)
    ]
    counts = {"num_frames": clip.num_frames, "num_keyframes": -(-clip.num_frames // 5), "num_network": 1}
    costs = dict.fromkeys(("prepare_seconds", "infer_seconds", "finish_seconds"), 0.1)
    sizes = dict.fromkeys(("prepared_bytes", "inferred_bytes", "peak_memory_bytes", "decoded_frames"), 1)
    nothing = dict.fromkeys(("agreement", "self_agreement", "audit", "embedding"))
    row = {**clip.to_row(), **counts, **costs, **sizes, **nothing, "pass": "full", "interlaced": False}
    mask = ffv1.build(ffv1.Config()).encode(ids)
    commit(out, clip.video_id, clip.clip_id, mask, pa.Table.from_pylist(rows, schema), row)


@pytest.fixture(scope="session")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SOURCE."""
    folder = tmp_path_factory.mktemp("drives")
    write_archive(folder)
    return folder


@pytest.fixture(scope="session")
def run(drives: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run over ``drives``."""
    return write_run(Location.open(tmp_path_factory.mktemp("run")), str(drives))


@pytest.fixture(scope="session")
def client(run: Run) -> TestClient:
    """A browser without eyes, on this machine."""
    return TestClient(build(run), base_url="http://localhost", raise_server_exceptions=True)


@pytest.fixture(scope="session")
def ids(run: Run) -> dict[str, str]:
    """The ``video_id`` of each video."""
    names = {"drive": "drive.mp4", "mkv": "other.mkv", "avi": "old.avi", "hostile": HOSTILE, "long": LONG}
    sources = {row["source"]: row["video_id"] for row in run.manifest_rows()}
    return {name: next(v for source, v in sources.items() if source.endswith(end)) for name, end in names.items()}


@pytest.fixture(scope="session")
def drawn() -> Callable[[int], np.ndarray]:
    """The masks: labels of a frame by its number."""
    return labels


@dataclass(frozen=True)
class Server:
    """A viewer that really listens."""

    url: str
    run: Run


@pytest.fixture(scope="session")
def video_picture() -> Callable[[int], np.ndarray]:
    """The pictures: that of a frame by its number."""
    return picture


@pytest.fixture(scope="session")
def make_run() -> Callable[[Location, str], Run]:
    """``write_run``, for runs elsewhere."""
    return write_run


@pytest.fixture(scope="session")
def serve() -> Callable[[Run], AbstractContextManager[Server]]:
    """``serving``, for other runs."""
    return serving


@contextmanager
def serving(run: Run) -> Iterator[Server]:
    """The viewer on a free port of this machine."""
    server, listener = uvicorn.Server(settings(build(run))), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = listener.getsockname()[1]
    try:
        yield Server(f"http://127.0.0.1:{port}", run)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="session")
def server(run: Run) -> Iterator[Server]:
    """The viewer over ``run``."""
    with serving(run) as started:
        yield started


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; skips where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield started
        started.close()
