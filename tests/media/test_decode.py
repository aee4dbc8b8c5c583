"""Clips give exactly the frames of the whole file, whatever the container, the codec and the group structure."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vss_ray.errors import StorageError, VideoError
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.probe import probe
from vss_ray.media.seek import STARTS
from vss_ray.plan import plan_clips

FAST = {"preset": "ultrafast"}
PYRAMID = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal"}
OPEN = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal:open-gop=1"}
HEVC = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1:bframes=4:open-gop=1:scenecut=0"}
IRREGULAR = sorted(np.random.default_rng(1).choice(1200, 60, replace=False).tolist())
MADE = {
    "closed.mp4": {"options": PYRAMID},
    "closed.ts": {"options": PYRAMID},
    "open.mkv": {"options": OPEN},
    "open.ts": {"options": OPEN},
    "open.flv": {"options": OPEN},
    "short_groups.ts": {"options": {"preset": "veryfast", "bf": "2"}, "gop": 3},
    "hevc.mp4": {"codec": "libx265", "options": HEVC},
    "hevc.ts": {"codec": "libx265", "options": HEVC},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"bf": "2"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "ffv1.mkv": {"codec": "ffv1"},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "windows.wmv": {"codec": "wmv2"},
    "irregular.mp4": {"options": PYRAMID, "pts": IRREGULAR, "time_base": Fraction(1, 100)},
    "irregular.ts": {"options": PYRAMID, "pts": IRREGULAR, "time_base": Fraction(1, 100)},
    "interlaced.ts": {"options": {"preset": "veryfast", "flags": "+ilme+ildct", "x264-params": "tff=1"}},
    "untimed.avi": {"options": PYRAMID},
    "untimed.h264": {"options": PYRAMID},
}


@pytest.mark.parametrize("name", MADE)
def test_clips_are_the_whole_file(name, footage, linear, in_clips) -> None:
    path = footage(name, **MADE[name])
    got = in_clips(path)
    assert len(got.clips) > 1
    assert got.checksums == linear(path)
    assert got.video.num_frames == len(got.checksums) == 60
    assert not any(got.damaged)
    assert all(before < after for before, after in pairwise(got.seconds))


def test_times_are_those_of_the_file(footage, in_clips) -> None:
    got = in_clips(footage("irregular.mp4", **MADE["irregular.mp4"]))
    wanted = [(pts - IRREGULAR[0]) / 100 for pts in IRREGULAR]
    np.testing.assert_allclose(got.seconds, wanted, atol=1e-6)
    np.testing.assert_allclose([clip.start_seconds for clip in got.clips], [wanted[c.start] for c in got.clips])


@pytest.mark.parametrize("name", ["late.mkv", "late.mp4", "late.ts"])
def test_time_starts_at_the_first_frame(name, footage, in_clips, linear) -> None:
    path = footage(name, options=PYRAMID, pts=[10000 + 4 * i for i in range(60)], time_base=Fraction(1, 100))
    got = in_clips(path)
    assert got.checksums == linear(path)
    np.testing.assert_allclose(got.seconds, np.arange(60) * 0.04, atol=1e-3)


def test_untimed_frames_are_spread_evenly(footage, in_clips) -> None:
    got = in_clips(footage("untimed.avi", **MADE["untimed.avi"]))
    assert got.video.pts == ()
    np.testing.assert_allclose(got.seconds, np.arange(60) * 0.04, atol=1e-9)


def test_almost_nothing_is_decoded_twice(footage, in_clips) -> None:
    for name, options, codec in (("twice.mp4", PYRAMID, "libx264"), ("twice.ts", OPEN, "libx264")):
        got = in_clips(footage(name, 750, options=options, codec=codec, gop=125), 10.0)
        assert [clip.num_frames for clip in got.clips] == [250, 250, 250]
        assert got.stats.delivered == 750
        assert got.stats.decoded <= 1.02 * got.stats.delivered


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_keyframes_that_are_none_are_noticed(suffix, footage, linear, in_clips) -> None:
    options = {"preset": "veryfast", "bf": "0", "x264-params": "intra-refresh=1"}
    path = footage(f"refresh.{suffix}", 100, options=options, gop=20)
    got = in_clips(path)
    assert len(got.video.codec_keyframes) > 3
    assert got.checksums == linear(path)


def test_every_way_to_start_gives_the_same(footage, linear, checksum, monkeypatch) -> None:
    path = footage("open.mkv", **MADE["open.mkv"])
    [entry] = list_videos(str(path))
    clip = plan_clips(probe(entry), 0.5)[2]
    wanted = linear(path)[clip.start : clip.stop]
    for number in range(len(STARTS)):
        monkeypatch.setattr("vss_ray.media.decode.STARTS", STARTS[number:])
        assert [checksum(frame.picture) for frame in decode(clip)] == wanted


def test_threads_change_nothing(footage, linear, checksum) -> None:
    path = footage("closed.mp4", **MADE["closed.mp4"])
    [entry] = list_videos(str(path))
    clips = plan_clips(probe(entry), 0.5)
    assert [checksum(frame.picture) for clip in clips for frame in decode(clip, threads=3)] == linear(path)


def test_a_clip_can_be_left_early(footage) -> None:
    [entry] = list_videos(str(footage("closed.mp4", **MADE["closed.mp4"])))
    stats = DecodeStats()
    frames = decode(plan_clips(probe(entry), 2.0)[0], stats=stats)
    next(frames)
    frames.close()
    assert stats.delivered == 1
    assert stats.decoded < 20


def test_a_cut_file_gives_what_is_left(footage, in_clips, linear, tmp_path) -> None:
    whole = footage("open.mkv", **MADE["open.mkv"])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    got = in_clips(cut)
    assert 20 < got.video.num_frames < 60
    assert got.checksums == linear(cut)


def test_recordings_joined_end_to_end(footage, in_clips, linear, tmp_path) -> None:
    joined = tmp_path / "joined.ts"
    joined.write_bytes(footage("open.ts", **MADE["open.ts"]).read_bytes() * 2)
    got = in_clips(joined)
    assert got.video.pts == ()
    assert got.checksums == linear(joined)
    assert len(got.checksums) == 120


@pytest.mark.parametrize("name", ["open.ts", "hevc.ts", "closed.ts"])
def test_a_recording_that_starts_anywhere(name, footage, in_clips, linear, tmp_path) -> None:
    packets = footage(name, **MADE[name]).read_bytes()
    late = tmp_path / "anywhere.ts"
    late.write_bytes(packets[len(packets) // 188 // 4 * 188 :])
    got = in_clips(late)
    assert 20 < len(got.checksums) < 60
    assert got.checksums == linear(late)


def test_a_file_that_changed_or_went(footage, tmp_path) -> None:
    [entry] = list_videos(str(footage("closed.mp4", **MADE["closed.mp4"])))
    clip = plan_clips(probe(entry), 0.5)[2]
    assert clip.seek_pts is not None
    with pytest.raises(VideoError, match="changed since it was planned"):
        list(decode(replace(clip, seek_pts=clip.seek_pts + 1)))
    with pytest.raises(StorageError, match="does not exist"):
        list(decode(replace(clip, source=str(tmp_path / "gone.mp4"))))


@pytest.mark.slow
def test_real_footage(test_data: Path, linear, in_clips) -> None:
    for path in sorted((test_data / "videos").iterdir()):
        got = in_clips(path, 10.0)
        assert got.checksums == linear(path), path.name
        assert not any(got.damaged), path.name
        assert got.stats.decoded <= 1.02 * got.stats.delivered, path.name


def test_odd_files(test_data: Path, linear, in_clips) -> None:
    """As many frames as the index says, and the same as a plain decoder gives, as far as that one comes."""
    with (test_data / "odd" / "INDEX.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if (test_data / "odd" / row["path"]).exists()]
    # Encrypted ones give garbage or nothing; the first two stop a plain decoder short of what can be decoded, of the
    # third the index counts another stream than the largest.
    counts = {"h264_white_zombie_scrunch-part.mp4": 65, "mpeg4_demo.mp4": 45, "nasa_13013.mp4": 390}
    compared = 0
    for row in rows:
        path = test_data / "odd" / row["path"]
        if "encrypted" in row["note"] or "DRM" in row["note"] or row["n_video"] == "0":
            continue
        got = in_clips(path)
        assert len(got.checksums) == counts.get(path.name, int(row["pyav_frames"])), path.name
        plain = linear(path)
        assert got.checksums[: len(plain)] == plain, path.name
        compared += 1
    assert compared > 50
