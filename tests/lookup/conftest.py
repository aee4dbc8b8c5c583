"""A real run made in this process: three videos, of which one is a smaller copy of a part of another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from vss_ray import config, stages
from vss_ray.index.build import compact
from vss_ray.index.schema import CLIPS
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

torch.set_num_threads(1)
SHIFT = 4.0
"""Seconds of the original that its copy lacks at the beginning."""


def make_run(source: Path, out: Path, overrides: Sequence[str]) -> Run:
    """What ``vss segment SOURCE OUT`` leaves, without Ray."""
    point = config.load("evs", overrides).resolved(has_cuda=False)
    run = Run.start(Location.open(out), point, str(source))
    entries = list_videos(str(source))
    clips = [clip for entry in entries for clip in plan_clips(probe(entry), point.clip_seconds)]
    run.write_manifest(clips)
    method, inference = stages.build_method(point), stages.build_inference(point, threads=1, device="cpu")
    for clip in clips:
        prepared = method.prepare(clip, decode(clip))
        (inferred,) = stages.infer(inference, [prepared])
        assert not isinstance(inferred, Exception)
        finished = stages.finish_clip(point, method, prepared, inferred)
        row: dict[str, Any] = {field.name: None if field.nullable else 0 for field in CLIPS}
        known = {name: value for name, value in clip.to_row().items() if name in row}
        row |= known | {"interlaced": False} | finished.facts
        commit(run.location, clip.video_id, clip.clip_id, finished.mask, finished.frames, row)
    compact(run.location)
    return run


def pictures(video: Path, start: float, stop: float, height: int, width: int) -> Iterator[np.ndarray]:
    """Frames of a part of a video, scaled."""
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            if start <= frame.time < stop:
                yield frame.reformat(width=width, height=height, format="rgb24").to_ndarray()


@pytest.fixture(scope="session")
def archive(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drives, and 14 s of one of them as a phone would have kept it."""
    folder = tmp_path_factory.mktemp("archive")
    videos = test_data / "videos"
    yellow, project = videos / "udacity_solidYellowLeft_540p.mp4", videos / "udacity_project_720p_16s.mp4"
    write_video(folder / "yellow.mp4", itertools.islice(pictures(yellow, 0, 18, 270, 480), 0, None, 4), fps=6.25)
    write_video(folder / "phone.mp4", itertools.islice(pictures(yellow, SHIFT, 18, 180, 320), 0, None, 4), fps=6.25)
    write_video(folder / "project.mp4", itertools.islice(pictures(project, 0, 12, 270, 480), 0, None, 4), fps=6.25)
    return folder


@pytest.fixture(scope="session")
def run(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Their run."""
    overrides = ["segmenter.short_side=192", "keyframes.name=fixed", "keyframes.every=3"]
    return make_run(archive, tmp_path_factory.mktemp("run") / "out", overrides)
