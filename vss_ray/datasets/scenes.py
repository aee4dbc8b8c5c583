"""Rendered street videos with exact labels, instances and motion: ground truth where real footage has none.

A camera drives along a street of textured rectangles; numpy and OpenCV only, every pixel follows from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.scene_draw import Floats, Shot, paint
from vss_ray.datasets.scene_flow import backward_flow, label_maps, was_visible
from vss_ray.datasets.scene_world import Traffic, World
from vss_ray.errors import ConfigError
from vss_ray.media.write import write_video

TAXONOMY = "camvid"


@dataclass(frozen=True, kw_only=True)
class Config:
    """One video."""

    height: int = 360
    width: int = 480
    num_frames: int = 100
    fps: float = 25.0
    seed: int = 0
    num_cars: int = 10
    num_pedestrians: int = 14
    num_cyclists: int = 6
    """How many there are on 100 m of street, on average; some stand, some move."""
    speed_mps: float = 8.0
    """Mean speed of the camera and of the cars, meters a second."""
    cuts: tuple[int, ...] = ()
    """Frames at which another street begins: scene cuts."""
    static_camera: bool = False
    """The camera stands; the traffic goes on."""

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 32 or self.height > 2 * self.width:
            raise ConfigError(
                f"a scene of {self.width}x{self.height} pixels is too small or too narrow; "
                "wanted 32 or more each way, and a height of twice the width at most"
            )
        if self.num_frames < 1 or not self.fps > 0:
            raise ConfigError(
                f"a scene of {self.num_frames} frames at {self.fps} a second is no video; "
                "wanted num_frames of 1 or more and a positive fps"
            )
        if min(self.num_cars, self.num_pedestrians, self.num_cyclists, self.speed_mps, self.seed) < 0:
            raise ConfigError(f"counts, speed and seed of a scene must not be negative; got {self}")
        if sorted({*self.cuts}) != [*self.cuts] or any(not 0 < cut < self.num_frames for cut in self.cuts):
            raise ConfigError(
                f"cuts of a scene are {self.cuts}; wanted ascending frame numbers from 1 to {self.num_frames - 1}"
            )


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One frame and all that is known of it."""

    rgb: NDArray[np.uint8]
    """(H, W, 3)"""
    labels: NDArray[np.uint8]
    """(H, W) CamVid ids; every pixel has one."""
    instances: NDArray[np.uint16]
    """(H, W) ids of cars, pedestrians and cyclists, the same over the video and never used twice; 0 elsewhere."""
    flow: NDArray[np.float32]
    """(H, W, 2) pixels right and down: what is at p was at ``p + flow(p)`` in the previous frame."""
    visible: NDArray[np.bool_]
    """(H, W) whether the previous frame shows it there; False everywhere on the first frame and after a cut."""
    pts_seconds: float


def render(config: Config) -> Iterator[SceneFrame]:
    """The frames of a video, in order; a shadow on the road belongs to the road but moves with its car."""
    starts = (0, *config.cuts, config.num_frames)
    num_instances = 0
    for take, (start, stop) in enumerate(pairwise(starts)):
        world = World((config.seed, take), _traffic(config, stop - start), num_instances)
        before: tuple[Shot, Floats] | None = None
        for frame in range(start, stop):
            seconds = (frame - start) / config.fps
            camera, offsets = world.camera(config.height, config.width, seconds), world.offsets(seconds)
            shot = paint(camera, world.quads(camera), offsets)
            labels, instances = label_maps(shot)
            flow = np.zeros((config.height, config.width, 2), np.float32)
            visible = np.zeros((config.height, config.width), np.bool_)
            if before is not None:
                flow = backward_flow(shot, offsets, *before)
                visible = was_visible(shot, flow, before[0])
            yield SceneFrame(shot.rgb, labels, instances, flow, visible, frame / config.fps)
            before = shot, offsets
        num_instances = world.kit.num_instances


def write_scene(path: Path, config: Config) -> None:
    """Render into an H.264 file with a codec keyframe every two seconds."""
    frames = (frame.rgb for frame in render(config))
    write_video(path, frames, fps=config.fps, gop=max(1, round(2 * config.fps)))


def _traffic(config: Config, num_frames: int) -> Traffic:
    return Traffic(
        num_cars=config.num_cars,
        num_pedestrians=config.num_pedestrians,
        num_cyclists=config.num_cyclists,
        speed_mps=config.speed_mps,
        static_camera=config.static_camera,
        seconds=num_frames / config.fps,
    )
