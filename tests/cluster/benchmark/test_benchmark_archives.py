"""Packets repeated are the same pictures again, at later times."""

from __future__ import annotations

import pytest
from rich.console import Console

from vss_ray.cluster.benchmark.archives import archive, still_camera, street
from vss_ray.cluster.benchmark.loop import loop
from vss_ray.cluster.benchmark.settings import SMOKE, Settings, networks_from
from vss_ray.errors import ConfigError
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.delenv("VSS_TEST_DATA", raising=False)
    return Settings(work=tmp_path / "work", console=Console(quiet=True), sizes=SMOKE)


def _frames(path):
    video = probe(list_videos(str(path))[0])
    return video, [frame for clip in plan_clips(video) for frame in decode(clip)]


def test_a_loop_has_every_frame_at_its_time(archive_file, tmp_path):
    _, once = _frames(archive_file)
    rate = len(once) / 6.0
    video, frames = _frames(loop(archive_file, tmp_path / "long.mp4", 15.0))
    assert len(frames) == 3 * len(once)  # 18 s: whole repeats
    times = [frame.pts_seconds for frame in frames]
    assert times == pytest.approx([i / rate for i in range(len(frames))], abs=1e-3)
    assert video.duration_seconds == pytest.approx(18.0, abs=0.2)
    assert (frames[len(once)].rgb(32, 32) == once[0].rgb(32, 32)).all()


def test_the_beginning_alone(archive_file, tmp_path):
    _, frames = _frames(loop(archive_file, tmp_path / "short.mp4", 2.0, whole=False))
    assert len(frames) == 20


@pytest.fixture
def archive_file(archive_folder):
    return archive_folder / "a.mp4"


@pytest.fixture
def archive_folder(request):
    return request.getfixturevalue("archive")


def test_archives_are_made_once(settings):
    first = archive(settings, "480x360")
    assert (first.width, first.height) == (480, 360)
    assert len(_frames(first.path)[1]) == 100
    made = first.path.stat().st_mtime_ns
    assert archive(settings, "480x360").path.stat().st_mtime_ns == made
    assert _frames(street(settings, 96, 64, 2))[0].codec_keyframes == (0,)


def test_a_camera_that_stands_is_rendered_where_no_footage_is(settings):
    (path,) = still_camera(settings)
    assert path.name.startswith("still-480x360")


def test_unknown_names_are_refused(settings):
    with pytest.raises(ConfigError, match="no archive '4k'"):
        archive(settings, "4k")
    with pytest.raises(ConfigError, match="wanted default, larger or NAME=WEIGHTS"):
        networks_from(["big"])
    assert networks_from(["default", "mine=/w.safetensors"]) == {"default": "", "mine": "/w.safetensors"}
