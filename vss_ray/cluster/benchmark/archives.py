"""The three archives that everything is measured on: made once, kept in the work folder, one H.264 file each.

=========  ==========================================================================================================
480x360    a rendered street at CamVid's size, a codec keyframe every 10 s
1280x720   dash-cam footage as its encoder left it (a file of the user's, or of VSS_TEST_DATA), else a rendered street
2048x1024  a street rendered at half the size and enlarged, a codec keyframe every 10 s
=========  ==========================================================================================================

A few seconds are rendered, played forward and backward, and their packets repeated: without a jump, in seconds instead
of minutes, and to a decoder and to motion it is footage like any other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2

from vss_ray.cluster.benchmark.loop import loop
from vss_ray.cluster.benchmark.settings import Settings
from vss_ray.datasets import scenes
from vss_ray.errors import ConfigError
from vss_ray.media.container import open_video
from vss_ray.media.write import write_video

FPS, KEYFRAME_SECONDS = 25, 10
DASHCAM = "udacity_project_720p_16s.mp4"
SCALE = {"480x360": 1, "1280x720": 2, "2048x1024": 2}
"""How many times a scene is enlarged."""


@dataclass(frozen=True)
class Archive:
    """One video with its own size."""

    name: str
    """What it is asked for as."""
    path: Path
    width: int
    height: int
    origin: str
    """Where the pictures come from, in words."""


def archive(settings: Settings, name: str, seconds: float | None = None, *, whole: bool = True) -> Archive:
    """The archive called ``name``, at least ``seconds`` long; made if it is not there.

    Args:
        settings: Work folder, sizes, dash-cam.
        name: A key of ``SCALE``.
        seconds: None: what ``settings.sizes`` says.
        whole: See ``loop``.

    Raises:
        ConfigError: There is no such archive.
    """
    if name not in SCALE:
        raise ConfigError(f"benchmark: no archive {name!r}; there is {', '.join(SCALE)}")
    seconds = settings.sizes.archive if seconds is None else seconds
    source, origin = _source(settings, name)
    width, height = _size(source)
    target = settings.work / "archives" / f"{width}x{height}-{source.stem}-{seconds:g}s{'' if whole else '-cut'}.mp4"
    if not target.exists():
        settings.tell(f"archive {width}x{height}: {seconds:g} s of {source.name}")
    return Archive(name, loop(source, target, seconds, whole=whole), width, height, origin)


def still_camera(settings: Settings) -> list[Path]:
    """Videos of cameras that stand while others move: those that are named, or a rendered one and what is there."""
    if settings.footage:
        return [*settings.footage]
    folder = Path(os.environ.get("VSS_TEST_DATA", "/nowhere"), "videos")
    real = [folder / name for name in ("opencv_vtest_40s.avi", "intel_car-detection.mp4")]
    return [*(path for path in real if path.exists()), street(settings, 480, 360, still=True)]


def _source(settings: Settings, name: str) -> tuple[Path, str]:
    if name == "1280x720":
        given = settings.dashcam
        if given is not None and not given.is_file():
            raise ConfigError(f"--dashcam {given}: no such file; give a video, or leave it out")
        folder = os.environ.get("VSS_TEST_DATA")
        if given is None and folder and Path(folder, "videos", DASHCAM).exists():
            given = Path(folder, "videos", DASHCAM)
        if given is not None:
            return given, f"dash-cam footage ({given.name}), repeated"
    width, height = map(int, name.split("x"))
    scale = SCALE[name]
    small = f" at {width // scale}x{height // scale} and enlarged" if scale > 1 else ""
    return street(settings, width, height, scale), f"a rendered street{small}, played to and fro"


def street(settings: Settings, width: int, height: int, scale: int = 1, *, still: bool = False) -> Path:
    """A rendered street, made if it is not there.

    Args:
        settings: Work folder, seconds to render.
        width: Pixels of the file.
        height: Pixels of the file.
        scale: How many times smaller it is rendered.
        still: The camera stands; then it is four times as long, and played forward only: people do not walk backward.
    """
    seconds = settings.sizes.rendered * (4 if still else 1)
    name = f"{'still' if still else 'street'}-{width}x{height}-{seconds:g}s.mp4"
    path = settings.work / "archives" / name
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    settings.tell(f"rendering {seconds:g} s of a street at {width // scale}x{height // scale}")
    config = scenes.Config(
        height=height // scale, width=width // scale, num_frames=round(seconds * FPS), fps=FPS, static_camera=still
    )
    rendered = [cv2.resize(frame.rgb, (width, height)) for frame in scenes.render(config)]
    pictures = rendered if still else [*rendered, *reversed(rendered)]  # the last is followed by the first: no jump
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    options = {"preset": "veryfast"}
    write_video(partial, pictures, fps=FPS, gop=KEYFRAME_SECONDS * FPS, options=options)  # type: ignore[arg-type]
    os.replace(partial, path)
    return path


def _size(path: Path) -> tuple[int, int]:
    with open_video(str(path)) as (_, stream):
        return stream.width, stream.height
