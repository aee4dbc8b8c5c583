"""One short video, and a finished run over it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vss_ray import config
from vss_ray.index.build import compact
from vss_ray.index.schema import record_schema
from vss_ray.masks import ffv1
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

FRAMES = 20


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of twenty frames, all alike."""
    path = tmp_path_factory.mktemp("video") / "plain.mp4"
    write_video(path, (np.full((96, 160, 3), 128, np.uint8) for _ in range(FRAMES)), gop=10)
    return path


@pytest.fixture(scope="session")
def _finished(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "out"
    location = Location.open(out)
    run = Run.start(location, config.load("per_frame"), str(video))
    clips = plan_clips(probe(list_videos(str(video))[0]), 0.4)
    run.write_manifest(clips)
    size = len(run.taxonomy)
    for clip in clips:
        frames = [
            {
                "video_id": clip.video_id,
                "clip_id": clip.clip_id,
                "frame": number,
                "pts_seconds": number / 25,
                "is_keyframe": True,
                "key_distance": 0,
                "unreliable": 0.0,
                "pass": "full",
                "area": np.full(size, 1 / size, np.float32),
                "grid": np.zeros(9 * size, np.uint8),
                "objects": np.zeros(size, np.uint16),
            }
            for number in range(clip.start, clip.stop)
        ]
        numbers = dict.fromkeys(
            ("prepare_seconds", "infer_seconds", "finish_seconds", "prepared_bytes", "inferred_bytes"), 1
        )
        numbers |= dict.fromkeys(("peak_memory_bytes", "decoded_frames", "num_keyframes", "num_network"), 1)
        row = {**clip.to_row(), **numbers, "num_frames": clip.num_frames, "pass": "full", "interlaced": False}
        row |= dict.fromkeys(("agreement", "self_agreement", "audit", "embedding"))
        mask = ffv1.build(ffv1.Config()).encode([np.zeros((96, 160), np.uint8)] * clip.num_frames)
        commit(location, clip.video_id, clip.clip_id, mask, pa.Table.from_pylist(frames, record_schema(size)), row)
    compact(location)
    return out


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Run:
    """A finished run of this test's own."""
    return Run.open(Location.open(shutil.copytree(_finished, tmp_path / "finished")))


@pytest.fixture
def refusal() -> Callable[..., str]:
    """``refusal(error, call, *arguments)``: the one sentence that a call is refused with."""

    def of(kind: type[Exception], call: Callable[..., object], *arguments: object) -> str:
        with pytest.raises(kind) as error:
            call(*arguments)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 1000
        return str(error.value)

    return of
