"""Made-up records of a street archive of any length, to see how tables and questions scale.

Every video has its own mixture of classes: some are almost always there (road, sky), some come and go (cars), some are
rare and in many videos never seen (trains). What comes, comes in runs of seconds, grows and shrinks smoothly and moves
through the picture; a little noise lies over it, as over real labels. The same seed gives the same archive. No mask
belongs to it, and no embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.clips import video_id
from vss_ray.index.build import Record
from vss_ray.index.schema import CELLS, CLIPS, FULL, frames_schema, record_schema

RATE = 25
"""Frames a second."""
CLIP_SECONDS, KEYFRAME_EVERY, AUDITED = 10, 10, 0.01
HEIGHT, WIDTH = 720, 1280
SHORTEST, LONGEST = 10 * 60, 60 * 60
"""Seconds of a video."""


@dataclass(frozen=True)
class Habit:
    """How a class behaves."""

    videos: float
    """Share of the videos that have it at all."""
    present: float
    """Share of the time that it is there, in those."""
    run: float
    """Seconds that it stays, on average."""
    area: float
    """Share of the picture while it is there, on average."""
    objects: float = 0.0
    """Share of the picture that one object has; 0: it is one region."""


STREET = {
    "road": Habit(1.0, 0.99, 600, 0.30),
    "sidewalk": Habit(0.9, 0.60, 40, 0.05, 0.03),
    "building": Habit(0.9, 0.70, 60, 0.20, 0.10),
    "wall": Habit(0.4, 0.15, 12, 0.02, 0.02),
    "fence": Habit(0.5, 0.20, 12, 0.02, 0.02),
    "pole": Habit(1.0, 0.80, 15, 0.008, 0.002),
    "traffic light": Habit(0.6, 0.15, 8, 0.003, 0.001),
    "traffic sign": Habit(0.9, 0.30, 5, 0.003, 0.001),
    "vegetation": Habit(1.0, 0.90, 120, 0.18, 0.08),
    "terrain": Habit(0.7, 0.35, 30, 0.04, 0.04),
    "sky": Habit(1.0, 0.95, 300, 0.18),
    "person": Habit(0.7, 0.20, 6, 0.015, 0.003),
    "rider": Habit(0.35, 0.05, 5, 0.012, 0.006),
    "car": Habit(0.98, 0.75, 15, 0.08, 0.015),
    "truck": Habit(0.6, 0.08, 10, 0.03, 0.03),
    "bus": Habit(0.35, 0.03, 10, 0.04, 0.04),
    "train": Habit(0.03, 0.02, 12, 0.05, 0.05),
    "motorcycle": Habit(0.15, 0.02, 4, 0.004, 0.004),
    "bicycle": Habit(0.4, 0.06, 6, 0.004, 0.003),
}
"""By the names of the taxonomy ``cityscapes``, in its order."""


def archive(hours: float, seed: int = 0) -> Iterator[Record]:
    """Records of ``hours`` of video, in order of video and clip, one video in memory at a time."""
    left = round(hours * 3600)
    for number in range(1_000_000):
        rng = np.random.default_rng([seed, number])
        seconds = min(left, int(rng.integers(SHORTEST, LONGEST)))
        # Frame rates differ a little, as those of cameras do.
        yield from _video(rng, f"{'xyz'[number % 3]}{number:06d}.mp4", seconds)
        left -= seconds
        if left <= 0:
            return


def _video(rng: np.random.Generator, name: str, seconds: int) -> Iterator[Record]:
    area, grid, objects = _contents(rng, seconds)
    num_frames, num_classes = area.shape
    numbers = np.arange(num_frames)
    name_of_video = video_id(name)
    audited = rng.random(num_frames) < AUDITED
    distance = np.abs((numbers + KEYFRAME_EVERY // 2) % KEYFRAME_EVERY - KEYFRAME_EVERY // 2).astype(np.int32)
    per_clip = CLIP_SECONDS * RATE
    clip_ids = [f"{a:09d}-{min(a + per_clip, num_frames):09d}" for a in range(0, num_frames, per_clip)]
    columns = {
        "video_id": pa.array([name_of_video]).take(pa.array(np.zeros(num_frames, np.int32))),
        "clip_id": pa.array(clip_ids).take(pa.array(numbers // per_clip)),
        "frame": numbers,
        "pts_seconds": numbers / RATE,
        "is_keyframe": distance == 0,
        "key_distance": distance,
        "unreliable": np.round(rng.gamma(1.2, 0.01, num_frames), 4).astype(np.float32) * (distance > 0),
        "agreement": pa.array(rng.normal(0.95, 0.02, num_frames).astype(np.float32), mask=~audited),
        "self_agreement": pa.array(rng.normal(0.96, 0.02, num_frames).astype(np.float32), mask=~audited),
        "pass": pa.array([FULL]).take(pa.array(np.zeros(num_frames, np.int32))),
        **{
            key: pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
            for key, values in (("area", area), ("grid", grid), ("objects", objects))
        },
    }
    rows = pa.table(columns, schema=frames_schema(num_classes))
    none = record_schema(num_classes).field("embedding")
    for clip_id, start in zip(clip_ids, range(0, num_frames, per_clip), strict=True):
        mine = rows[start : start + per_clip]
        clip = _clip(name_of_video, clip_id, f"/archive/{name}", start, len(mine))
        yield clip, mine.append_column(none, pa.nulls(len(mine), none.type))


def _clip(name: str, clip_id: str, source: str, start: int, count: int) -> dict[str, Any]:
    made_up = {field.name: 0 for field in CLIPS if not field.nullable}
    return made_up | {
        "video_id": name,
        "clip_id": clip_id,
        "source": source,
        "start": start,
        "stop": start + count,
        "start_seconds": start / RATE,
        "stop_seconds": (start + count) / RATE,
        "width": WIDTH,
        "height": HEIGHT,
        "num_frames": count,
        "mask_path": f"masks/{name}/{clip_id}.mkv",
        "mask_sha256": "0" * 64,
        "pass": FULL,
        "interlaced": False,
    }


def _contents(rng: np.random.Generator, seconds: int) -> tuple[NDArray, NDArray, NDArray]:
    """Area (N, C) float32, grid (N, 9 * C) uint8 and objects (N, C) uint16 of a video."""
    habits = list(STREET.values())
    per_second = np.stack([_course(rng, habit, seconds + 1) for habit in habits], 1)
    per_second /= np.maximum(1.0, per_second.sum(1, keepdims=True) * 1.02)
    smooth = _between(per_second)
    noisy = smooth * rng.normal(1, 0.02, smooth.shape).astype(np.float32)
    pixels = np.rint(noisy * (HEIGHT * WIDTH))
    area = (pixels / np.float32(HEIGHT * WIDTH)).astype(np.float32)
    sizes = np.array([habit.objects or np.inf for habit in habits], np.float32)
    # Objects of a class that is there: by the smooth area, so that the count does not flicker with the noise.
    objects = np.where(smooth > 0.0005, np.ceil(smooth / sizes), 0)
    objects = np.where(np.isinf(sizes) & (smooth > 0.0005), 1, objects).astype(np.uint16)
    grid = np.empty((len(area), CELLS, len(habits)), np.uint8)
    for i in range(len(habits)):
        shares = area[:, i : i + 1] * np.repeat(_weights(rng, seconds), RATE, 0)
        grid[:, :, i] = np.minimum(255, np.ceil(shares * 255))
    return area, grid.reshape(len(area), -1), objects


def _course(rng: np.random.Generator, habit: Habit, seconds: int) -> NDArray[np.float32]:
    """Share of the picture second by second."""
    course = np.zeros(seconds, np.float32)
    if rng.random() >= habit.videos:
        return course
    present = np.clip(habit.present * rng.lognormal(0, 0.4), 0.001, 0.995)
    area = habit.area * rng.lognormal(0, 0.3)
    pause = habit.run * (1 - present) / present
    at = -rng.exponential(pause) if rng.random() < present else rng.exponential(pause)
    while at < seconds:
        length = max(2.0, rng.exponential(habit.run))
        first, last = max(0, int(at)), min(seconds, int(at + length) + 1)
        if first < last:
            ages = (np.arange(first, last) - at) / length
            swell = np.sin(np.pi * np.clip(ages, 0, 1)) ** 0.5
            walk = np.exp(np.cumsum(rng.normal(0, 0.08, last - first)))
            course[first:last] = area * rng.lognormal(0, 0.5) * swell * np.clip(walk, 0.3, 3)
        at += length + rng.exponential(pause)
    return course


def _between(per_second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Frame by frame what is given second by second."""
    part = (np.arange(RATE, dtype=np.float32) / RATE)[None, :, None]
    return ((1 - part) * per_second[:-1, None] + part * per_second[1:, None]).reshape(-1, per_second.shape[1])


def _weights(rng: np.random.Generator, seconds: int) -> NDArray[np.float32]:
    """How a class is spread over the cells, second by second, (seconds, 9): 1 everywhere if it were even."""
    walk = np.cumsum(rng.normal(0, 0.05, (seconds, 2)), 0) + rng.random(2) * 3
    center = 1.5 - np.abs(walk % 6 - 3)  # to and fro between the borders
    cells = np.arange(3) - 1.0
    near = np.exp(-((center[:, :, None] - cells) ** 2) / 0.8)
    weights = near[:, 0, :, None] * near[:, 1, None, :]
    return (CELLS * weights / weights.sum((1, 2), keepdims=True)).reshape(seconds, CELLS).astype(np.float32)
