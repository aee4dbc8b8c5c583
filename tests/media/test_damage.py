"""What does not decode is left out and told; what does keeps its number and its time; whole files are not accused."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from av.error import FFmpegError

from vss_ray.media.archive import list_videos
from vss_ray.media.container import demux, open_video
from vss_ray.media.decode import DecodeStats, decode
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips

PYRAMID = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal"}
GARBAGE = b"\0\0\0\x01\x65"
LIST = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"}


def met(path: Path, seconds: float = 10.0) -> list[tuple[DecodeStats, str]]:
    """Of every clip what was counted, and what is told as damage."""
    [entry] = list_videos(str(path))
    found = []
    for clip in plan_clips(probe(entry), seconds):
        stats = DecodeStats()
        assert len(list(decode(clip, stats=stats))) == stats.delivered > 0
        found.append((stats, stats.met(clip)["damaged"] or ""))
    return found


def decoded_in_one_go(path: Path) -> list[av.VideoFrame]:
    """By a decoder that passes over what it refuses."""
    found: list[av.VideoFrame] = []
    with open_video(str(path)) as (container, stream):
        stream.thread_type = "NONE"
        for packet in (*demux(container, stream), None):
            with suppress(FFmpegError):
                found += stream.decode(packet)
    return found


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("lost", [range(24, 28), range(26, 30)], ids=["with_codec_keyframe", "behind_it"])
def test_frames_keep_their_numbers_and_times_where_others_are_lost(
    suffix, lost, footage, remux, linear, checksum, tmp_path
):
    """Packets of the third group of twelve."""
    whole = footage(f"closed.{suffix}", options=PYRAMID)
    path = remux(whole, tmp_path / f"holes.{suffix}", lambda n, data: GARBAGE if n in lost else data)
    intact, delivered, clean = linear(whole), 0, 0
    for clip in plan_clips(probe(list_videos(str(path))[0]), 0.5):
        stats = DecodeStats()
        frames = list(decode(clip, stats=stats))
        numbers = [frame.number for frame in frames]
        assert numbers == sorted(set(numbers)) == stats.numbers
        np.testing.assert_allclose([frame.pts_seconds for frame in frames], np.array(numbers) * 0.04, atol=1e-3)
        same = [checksum(frame.picture) == intact[frame.number] for frame in frames]
        delivered += len(frames)
        if clip.start == 24:
            assert stats.met(clip)["numbers"] == numbers
            assert f"{12 - len(frames)} of 12 frames do not decode" in stats.met(clip)["damaged"]
        else:
            assert stats.met(clip) == {"damaged": None, "interlaced": False, "numbers": None}
            assert all(same)
            clean += 1
    assert clean == 4
    assert delivered == len(decoded_in_one_go(path)) <= 60 - len(lost)


CODECS = {
    "h264.mp4": {"options": PYRAMID},
    "hevc.mp4": {"codec": "libx265", "options": LIST},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "mjpeg.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "ffv1.mkv": {"codec": "ffv1", "options": {"slicecrc": "1"}},
    "prores.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "wmv2.wmv": {"codec": "wmv2"},
}


@pytest.mark.parametrize("name", CODECS)
def test_broken_packets_are_told_whatever_the_codec_does_about_them(name, footage, remux, tmp_path):
    """Some decoders mark the frame, some raise, some leave it out, and some only complain.

    An arithmetic decoder takes any bytes for a picture: packets of those lose their second half, and VP9's their head.
    """
    rng = random.Random(3)

    def flip(number: int, data: bytes) -> bytes:
        if number % 7 != 3:
            return data
        if name == "hevc.mp4":
            return data[: len(data) // 2]
        if name == "vp9.webm":
            return b"\0" + data[1:]
        changed = bytearray(data)
        for _ in range(4):
            changed[rng.randrange(min(30, len(data) // 3), len(data))] = rng.randrange(256)
        return bytes(changed)

    whole = footage(name, **CODECS[name])
    assert not any(damaged for _, damaged in met(whole))
    [(stats, damaged)] = met(remux(whole, tmp_path / name, flip))
    assert damaged
    assert 20 <= stats.delivered <= 60


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cut.mkv", r"cut short: it ends at 1\.\d s, the header promises 3\.0 s"),
        ("cut.avi", r"cut short: \d\d of the 75 frames that the header promises are there"),
    ],
)
def test_a_file_that_is_cut_short_is_told_where_it_ends(name, sentence, footage, tmp_path):
    codec = {"codec": "mjpeg", "pix_fmt": "yuvj420p"} if name.endswith("avi") else {"options": PYRAMID}
    whole, cut = footage(name, 75, **codec), tmp_path / name
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    told = [damaged for _, damaged in met(cut, 0.5)]
    assert not any(told[:-1])
    assert re.search(sentence, told[-1])


def test_times_that_run_backwards_are_told_of_every_clip(footage, tmp_path):
    joined = tmp_path / "joined.ts"
    joined.write_bytes(footage("closed.ts", options=PYRAMID).read_bytes() * 2)
    told = [damaged for _, damaged in met(joined, 0.5)]
    assert len(told) > 3
    assert all("times run backwards" in damaged for damaged in told)


def test_a_recording_that_starts_anywhere_tells_what_its_beginning_lost(footage, tmp_path):
    packets = footage("closed.ts", options=PYRAMID).read_bytes()
    late = tmp_path / "anywhere.ts"
    late.write_bytes(packets[len(packets) // 188 // 4 * 188 :])
    told = [damaged for _, damaged in met(late, 0.5)]
    assert "in front of the first codec keyframe cannot be decoded" in told[0]
    assert not any(told[1:])
