"""Codec keyframes decoded alone are those of a full decode, and nothing else is decoded or read for them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vss_ray.clips import COARSE
from vss_ray.errors import StorageError, VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips

PYRAMID = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal"}
OPEN = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal:open-gop=1"}
HEVC = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1:bframes=4:open-gop=1:scenecut=0"}
REFRESH = {"preset": "veryfast", "bf": "0", "x264-params": "intra-refresh=1"}
ALONE = {
    "closed.mp4": {"options": PYRAMID},
    "closed.ts": {"options": PYRAMID},
    "open.mkv": {"options": OPEN},
    "open.ts": {"options": OPEN},
    "open.flv": {"options": OPEN},
    "hevc.mp4": {"codec": "libx265", "options": HEVC},
    "hevc.ts": {"codec": "libx265", "options": HEVC},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"bf": "2"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "ffv1.mkv": {"codec": "ffv1"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "interlaced.ts": {"options": {"preset": "veryfast", "flags": "+ilme+ildct", "x264-params": "tff=1"}},
}
"""Files whose keyframes stand for themselves."""
OTHERWISE = {
    "untimed.avi": {"options": PYRAMID},
    "untimed.h264": {"options": PYRAMID},
    "refresh.mp4": {"options": REFRESH, "gop": 20},
    "refresh.ts": {"options": REFRESH, "gop": 20},
    "one_group.mp4": {"options": PYRAMID, "gop": 600},
}
"""Files that have to be decoded to get at them: no times, keyframes that are none, clips inside a long group."""
ODD = (
    "fate/h264_interlaced_crop.mp4",
    "fate/h264_test_iibbibb_neg_ctts.mp4",
    "fate/h264_white_zombie_scrunch-part.mp4",
    "fate/hevc_extradata-reload-multi-stsd.mp4",
    "fate/mpeg2_matrixbench_mpeg2.lq1.mp4",
    "fate/vp8_vp8_video_with_alpha.mp4",
    "fate/av1_av1-1-b8-03-sizeup.mp4",
    "fate/mpeg4_packed_bframes.avi",
    "torchcodec/h265_video.mp4",
    "torchcodec/nasa_13013_rotated.mp4",
)


@pytest.fixture
def both(checksum):
    """``both(clips, stats)``: checksum and time of every coarse frame, by a full decode and by ``decode_coarse``."""

    def run(clips, stats):
        full = [
            (checksum(frame.picture), frame.pts_seconds, frame.rotation)
            for clip in clips
            for frame in decode(clip)
            if frame.number in clip.coarse_frames
        ]
        coarse = [
            (checksum(frame.picture), frame.pts_seconds, frame.rotation)
            for clip in clips
            for frame in decode_coarse(clip, stats=stats)
        ]
        return full, coarse

    return run


@pytest.mark.parametrize("seconds", [0.5, 10.0])
@pytest.mark.parametrize("name", ALONE)
def test_keyframes_are_those_of_a_full_decode_and_nothing_else_is_decoded(
    name, seconds, footage, both, planned
) -> None:
    video, clips = planned(footage(name, **ALONE[name]), seconds)
    stats = DecodeStats()
    full, coarse = both(clips, stats)
    assert coarse == full
    assert len(coarse) == len(video.codec_keyframes) > 1
    assert stats.delivered == stats.decoded == len(coarse)


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_does_not_decode_alone_is_the_same_too(name, footage, both, planned) -> None:
    _, clips = planned(footage(name, 100, **OTHERWISE[name]), 0.5)
    assert len(clips) > 1
    stats = DecodeStats()
    full, coarse = both(clips, stats)
    assert coarse == full
    assert stats.delivered == len(coarse) == sum(len(clip.coarse_frames) for clip in clips)


@pytest.mark.parametrize("name", ODD)
def test_odd_files(name, test_data, both, planned) -> None:
    for seconds in (0.5, 10.0):
        _, clips = planned(test_data / "odd" / name, seconds)
        full, coarse = both(clips, DecodeStats())
        assert coarse == full


@pytest.mark.slow
def test_real_footage(test_data, both, planned) -> None:
    for path in sorted((test_data / "videos").iterdir()):
        video, clips = planned(path, 10.0)
        stats = DecodeStats()
        full, coarse = both(clips, stats)
        assert coarse == full, path.name
        assert stats.decoded == len(video.codec_keyframes), path.name


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="counts the bytes that Linux says were read")
@pytest.mark.parametrize("name", ["sparse.mp4", "sparse.mkv"])
def test_only_keyframes_are_read_where_the_container_knows_them(name, footage, planned) -> None:
    path = footage(name, 750, (192, 320), options={"preset": "ultrafast", "crf": "1"}, gop=150)
    _, [clip] = planned(path, 30.0)
    assert len(clip.coarse_frames) == 5

    def read() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = read()
    assert len(list(decode_coarse(clip))) == 5
    assert read() - before < path.stat().st_size / 3


def test_a_clip_can_be_left_early(footage, planned) -> None:
    _, [clip] = planned(footage("closed.mp4", **ALONE["closed.mp4"]), 10.0)
    stats = DecodeStats()
    frames = decode_coarse(clip, stats=stats)
    next(frames)
    frames.close()
    assert (stats.decoded, stats.delivered) == (1, 1)


def test_a_damaged_keyframe_is_left_out_and_told(footage, remux, tmp_path, planned) -> None:
    path = remux(
        footage("closed.mp4", **ALONE["closed.mp4"]),
        tmp_path / "damaged.mp4",
        lambda number, data: b"\0\0\0\x01\x65" if number >= 40 else data,
    )
    _, [clip] = planned(path, 10.0)
    stats = DecodeStats()
    taken = [frame.number for frame in decode_coarse(clip, stats=stats)]
    assert taken == [frame for frame in clip.coarse_frames if frame < 40]
    met = stats.met(clip, COARSE)
    assert met["numbers"] == taken
    lost = len(clip.coarse_frames) - len(taken)
    assert met["damaged"] == f"{lost} of {len(clip.coarse_frames)} frames do not decode"


def test_nothing_that_decodes_is_an_error(footage, remux, tmp_path) -> None:
    whole = footage("closed.mp4", **ALONE["closed.mp4"])
    [clip] = plan_clips(probe(list_videos(str(whole))[0]), 10.0)
    path = remux(whole, tmp_path / "nothing.mp4", lambda number, data: b"\0\0\0\x01\x65")
    with pytest.raises(VideoError, match=r"nothing\.mp4: none of the 60 frames from number 0 on can be decoded"):
        list(decode_coarse(replace(clip, source=str(path))))


def test_a_file_that_changed_or_went(footage, tmp_path, planned) -> None:
    _, clips = planned(footage("closed.mp4", **ALONE["closed.mp4"]), 0.5)
    moved = replace(clips[2], seek_pts=clips[2].seek_pts + 1, first_pts=clips[2].first_pts + 1)
    moved = replace(moved, coarse_pts=(moved.first_pts,), coarse_frames=(moved.start,))
    with pytest.raises(VideoError, match="changed since it was planned"):
        list(decode_coarse(moved))
    with pytest.raises(StorageError, match="does not exist"):
        list(decode_coarse(replace(clips[2], source=str(tmp_path / "gone.mp4"))))
