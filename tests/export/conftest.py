"""A small run, made without networks: two videos, of one the last clip is not done, of the other only keyframes are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.followed import commit_object
from vss_ray import config
from vss_ray.clips import Clip
from vss_ray.export.export import export
from vss_ray.export.walk import Selection
from vss_ray.index.schema import CLIPS, record_schema
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.masks import ffv1
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

CAMVID = taxonomy.load("camvid")
HEIGHT, WIDTH, COUNT, RATE = 48, 64, 30, 12.5


@dataclass
class Made:
    """A run, and what is in it."""

    run: Run
    labels: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    """(video_id, frame) -> what its mask holds; frames of clips that are done."""
    seconds: dict[tuple[str, int], float] = field(default_factory=dict)
    images: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    """Roughly: the sources are lossy."""


def labels(video: int, frame: int, classes: Taxonomy = CAMVID) -> np.ndarray:
    """Bands, a few objects that move, a corner that is void."""
    generator = np.random.default_rng(100 * video + frame)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8 if len(classes) <= 255 else np.uint16)
    ids[HEIGHT // 2 :] = 3 % len(classes)
    for _ in range(6):
        top, left = generator.integers(0, HEIGHT - 6), generator.integers(0, WIDTH - 8)
        ids[top : top + 5, left : left + 7] = generator.integers(0, len(classes))
    if 5 <= frame < 12:
        ids[20:40, 10 + frame : 40 + frame] = 8 % len(classes)  # a car that comes and goes
    ids[:4, :4] = classes.void
    return ids


def image(frame: int) -> np.ndarray:
    """A gray that tells the frame."""
    return np.full((HEIGHT, WIDTH, 3), 8 * frame, np.uint8)


def build(root: Path, classes: Taxonomy = CAMVID) -> Made:
    """See the module."""
    location = Location.open(root / "out")
    point = config.load("evs")
    (root / "videos").mkdir(parents=True)
    made = Made(Run(location, point, classes, str(root / "videos"), "0123456789abcdef"))
    plan: list[Clip] = []
    for video, name in enumerate(("drive_1", "walk")):
        path = root / "videos" / f"{name}.mp4"
        write_video(path, (image(n) for n in range(COUNT)), gop=10, fps=RATE)
        (entry,) = list_videos(str(path))
        clips = plan_clips(replace(probe(entry), video_id=f"{name}-0000beef"), seconds=0.8)
        assert len(clips) == 3
        plan += clips
        for clip in clips[: 2 if video == 0 else 3]:
            frames = list(range(clip.start, clip.stop)) if video == 0 else [clip.start]
            add(made, clip, frames, [labels(video, n, classes) for n in frames])
            commit_object(location, clip, RATE)
    content = {"operating_point": point.to_dict(), "taxonomy": classes.to_dict(), "source": made.run.source}
    location.write("run.json", json.dumps(content | {"fingerprint": made.run.fingerprint}).encode())
    made.run.write_manifest(plan)
    return made


def add(made: Made, clip: Clip, frames: list[int], ids: list[np.ndarray]) -> None:
    """Commit a clip that holds some of its frames."""
    num_classes = len(made.run.taxonomy)
    seconds = [n / RATE for n in frames]
    shares = [np.bincount(each.ravel(), minlength=num_classes)[:num_classes] / each.size for each in ids]
    rows = {
        "video_id": clip.video_id,
        "clip_id": clip.clip_id,
        "unreliable": 0.0,
        "agreement": None,
        "self_agreement": None,
        "pass": "full" if len(frames) == clip.num_frames else "coarse",
        "grid": [0] * 9 * num_classes,
        "objects": [0] * num_classes,
        "embedding": None,
    }
    table = pa.Table.from_pylist(
        [
            rows | {"frame": n, "pts_seconds": t, "is_keyframe": i == 0, "key_distance": i, "area": share.tolist()}
            for i, (n, t, share) in enumerate(zip(frames, seconds, shares, strict=True))
        ],
        schema=record_schema(num_classes),
    )
    facts = {"num_frames": len(frames), "num_keyframes": 1, "num_network": 1, "decoded_frames": len(frames)}
    facts |= {"interlaced": False}
    facts |= {"least": np.min(shares, 0).tolist(), "peak": np.max(shares, 0).tolist()}
    facts |= {"most_objects": [0] * num_classes, "pass": rows["pass"]}
    row = dict.fromkeys(CLIPS.names, 0) | {"agreement": None, "self_agreement": None, "audit": None}
    row |= {"embedding": None} | clip.to_row() | facts
    commit(made.run.location, clip.video_id, clip.clip_id, ffv1.build(ffv1.Config()).encode(ids), table, row)
    for n, t, each in zip(frames, seconds, ids, strict=True):
        made.labels[clip.video_id, n], made.seconds[clip.video_id, n] = each, t
        made.images[clip.video_id, n] = image(n)


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def made(tmp_path) -> Made:
    return build(tmp_path)


@pytest.fixture
def make() -> Callable[..., Made]:
    """``build``, for a run in another folder or of other classes."""
    return build


@pytest.fixture
def digests() -> Callable[[Path], dict[str, str]]:
    return tree


@pytest.fixture
def write(made, tmp_path) -> Callable[..., Path]:
    """Export the run: name of the format, options; where it lies."""

    def run(name: str, *options: str, dest: str = "dest", **selection) -> Path:
        for unit in export(made.run, str(tmp_path / dest), name, Selection(**selection), options):
            assert unit.error is None
        return tmp_path / dest

    return run
