"""Pictures come out in their colors, upright and whole, however the file stores them; what is not applied is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from vss_ray.clips import Clip, Video
from vss_ray.frames import Frame
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips


def decoded(path: Path) -> tuple[Video, Clip, DecodeStats, list[Frame]]:
    [entry] = list_videos(str(path))
    video, stats = probe(entry), DecodeStats()
    [clip] = plan_clips(video, 1000.0)
    return video, clip, stats, list(decode(clip, stats=stats))


def colors(height: int, width: int) -> np.ndarray:
    """Smooth, from black to white and through all hues."""
    corners = np.array([[[0, 0, 0], [250, 40, 30], [40, 220, 60]], [[30, 60, 240], [128, 128, 128], [255, 255, 255]]])
    return cv2.resize(corners.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


LOSSLESS = {"preset": "ultrafast", "qp": "0"}
STORED = {
    "limited.mp4": {"pix_fmt": "yuv420p", "options": LOSSLESS},
    "full.mp4": {"pix_fmt": "yuvj420p", "options": LOSSLESS},
    "hd.mp4": {"pix_fmt": "yuv420p", "options": LOSSLESS, "size": (720, 1280)},
    "ten.mkv": {"codec": "ffv1", "pix_fmt": "yuv420p10le"},
    "twelve.mkv": {"codec": "ffv1", "pix_fmt": "yuv422p12le"},
    "ten.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "alpha.mkv": {"codec": "ffv1", "pix_fmt": "yuva420p"},
    "alpha.mov": {"codec": "qtrle", "pix_fmt": "argb"},
    "rgb.mkv": {"codec": "ffv1", "pix_fmt": "bgr0"},
    "gray.mkv": {"codec": "ffv1", "pix_fmt": "gray", "gray": True},
    "odd.webm": {"codec": "libvpx-vp9", "size": (269, 479), "options": {"cpu-used": "8", "lossless": "1"}},
    "odd.mp4": {"pix_fmt": "yuv444p", "size": (271, 481), "options": LOSSLESS},
    "tiny.mkv": {"codec": "ffv1", "size": (8, 8)},
    "wide.mp4": {"size": (32, 1920), "options": LOSSLESS},
}


@pytest.mark.parametrize("name", STORED)
def test_colors_come_out_as_they_went_in(name, tmp_path) -> None:
    how = {"pix_fmt": "yuv420p", **STORED[name]}
    height, width = how.pop("size", (90, 160))
    image = colors(height, width)
    if how.pop("gray", False):
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2).astype(np.uint8)
    write_video(tmp_path / name, [image] * 3, **how)
    video, clip, stats, frames = decoded(tmp_path / name)
    assert (video.height, video.width, len(frames)) == (height, width, 3)
    assert stats.met(clip) == {"damaged": None, "interlaced": False, "numbers": None}
    got = frames[0].rgb(height, width).astype(int)
    assert np.abs(got - image).mean() < (12 if min(height, width) == 8 else 4), "8x8 has 4x4 colors"


@pytest.mark.parametrize(("fps", "count"), [(1, 5), (240, 60), (Fraction(30000, 1001), 30)])
def test_times_at_any_rate(fps, count, tmp_path) -> None:
    write_video(tmp_path / "rate.mp4", [colors(64, 96)] * count, fps=fps, options={"preset": "ultrafast"})
    video, _, _, frames = decoded(tmp_path / "rate.mp4")
    np.testing.assert_allclose([frame.pts_seconds for frame in frames], np.arange(count) / float(fps), atol=1e-3)
    assert video.duration_seconds == pytest.approx(count / float(fps), abs=1e-2)


def test_the_largest_picture_that_cameras_make(tmp_path) -> None:
    write_video(tmp_path / "large.mp4", [colors(2304, 4096)] * 2, options={"preset": "ultrafast"})
    video, clip, stats, frames = decoded(tmp_path / "large.mp4")
    assert (video.width, video.height, len(frames)) == (4096, 2304, 2)
    assert stats.met(clip)["damaged"] is None
    assert frames[1].rgb(144, 256).shape == (144, 256, 3)


@pytest.mark.parametrize(("rotation", "told"), [(0, "4:3"), (90, "3:4")])
def test_pixels_that_are_not_square_are_told_of_the_upright_picture(rotation, told, tmp_path) -> None:
    with av.open(tmp_path / "sar.mp4", "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = 96, 64, "yuv420p", 1
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(rotation)
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(colors(64, 96), format="rgb24")))
        file.mux(stream.encode(None))
    video, clip, _, frames = decoded(tmp_path / "sar.mp4")
    assert video.sample_aspect_ratio == clip.sample_aspect_ratio == told
    assert frames[0].size == (video.height, video.width) == ((96, 64) if rotation else (64, 96))


def test_fields_are_left_in_the_frame_and_told(footage) -> None:
    woven = {"preset": "veryfast", "flags": "+ilme+ildct", "x264-params": "tff=1"}
    for name in ("woven.ts", "woven.mp4"):
        video, clip, stats, frames = decoded(footage(name, options=woven))
        assert len(frames) == video.num_frames == 60
        assert stats.met(clip) == {"damaged": None, "interlaced": True, "numbers": None}


def test_which_of_several_streams_is_told(test_data) -> None:
    video, clip, _, _ = decoded(test_data / "odd" / "torchcodec" / "nasa_13013.mp4")
    assert (video.stream_index, video.num_video_streams) == (clip.stream_index, clip.num_video_streams) == (3, 2)
    assert (video.width, video.height) == (480, 270)


def test_an_edit_list_is_no_damage(test_data) -> None:
    """The header promises 48 frames, and says itself which of them are to be shown."""
    for name, shown in (("h264_mov-1elist-ends-last-bframe", 47), ("h264_mov_stream_shorter_than_movie", 24)):
        _, clip, stats, frames = decoded(test_data / "odd" / "fate" / f"{name}.mp4")
        assert len(frames) == shown
        assert stats.met(clip)["damaged"] is None
