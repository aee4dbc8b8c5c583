"""A clip whose frames change size becomes clips of one size each, that tile it and lose nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from vss_ray.clips import Clip
from vss_ray.errors import VideoError
from vss_ray.media import parts as module
from vss_ray.media.archive import list_videos
from vss_ray.media.codec_keyframes import decode_coarse
from vss_ray.media.decode import DecodeStats, SizeChangedError, decode
from vss_ray.media.parts import parts
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips, with_known_parts

FAST = {"preset": "ultrafast"}


@pytest.fixture
def joined(footage, tmp_path) -> Path:
    """Two recordings end to end: 60 frames of 160x96, 60 of 192x108, in an MPEG-TS."""
    path = tmp_path / "joined.ts"
    large = footage("large.ts", size=(108, 192), options=FAST)
    path.write_bytes(footage("small.ts", options=FAST).read_bytes() + large.read_bytes())
    return path


def planned(path: Path, seconds: float = 10.0) -> list[Clip]:
    [entry] = list_videos(str(path))
    return plan_clips(probe(entry), seconds)


def test_a_clip_of_two_sizes_is_cut_between_them(joined, checksum, linear) -> None:
    [clip] = planned(joined)
    with pytest.raises(SizeChangedError, match="frame 60 is 192x108, its clip 160x96"):
        list(decode(clip))
    cut = parts(clip)
    assert [(part.start, part.stop, part.width, part.height) for part in cut] == [(0, 60, 160, 96), (60, 120, 192, 108)]
    assert [checksum(frame.picture) for part in cut for frame in decode(part)] == linear(joined)
    assert (cut[0].start_seconds, cut[-1].stop_seconds) == (clip.start_seconds, clip.stop_seconds)
    assert cut[0].stop_seconds == cut[1].start_seconds
    assert [part.coarse_frames for part in cut] == [(0,), (60,)]


def test_a_clip_of_another_size_keeps_its_name(joined) -> None:
    clips = planned(joined, 1.2)
    for clip in clips:
        [part, *others] = parts(clip)
        assert (part.clip_id == clip.clip_id) is not bool(others)
        assert len({frame.size for frame in decode(part)}) == 1


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("fate/vp9_vp90-2-05-resize.mp4", [(0, 3, 352, 288), (3, 6, 282, 173), (6, 10, 352, 288)]),
        ("fate/av1_av1-1-b8-03-sizeup.mp4", [(0, 10, 352, 288), (10, 20, 1280, 720)]),
        ("fate/h264_extradata-reload-multi-stsd.mp4", [(0, 2, 256, 128), (2, 4, 128, 128)]),
        ("fate/hevc_extradata-reload-multi-stsd.mp4", [(0, 2, 128, 128), (2, 4, 128, 256)]),
        ("fate/h264_brokensps.mp4", [(0, 52, 192, 144), (52, 79, 320, 240)]),
    ],
)
def test_real_changes_of_size(name, wanted, test_data, checksum, linear) -> None:
    path = test_data / "odd" / name
    [clip] = planned(path)
    cut = parts(clip)
    assert [(part.start, part.stop, part.width, part.height) for part in cut] == wanted
    assert [checksum(frame.picture) for part in cut for frame in decode(part)] == linear(path)
    for part in cut:
        coarse = [(frame.number, frame.pts_seconds, checksum(frame.picture)) for frame in decode_coarse(part)]
        full = [(frame.number, frame.pts_seconds, checksum(frame.picture)) for frame in decode(part)]
        assert coarse == [frame for frame in full if frame[0] in part.coarse_frames]
    assert all(before.stop_seconds == after.start_seconds for before, after in pairwise(cut))


def test_clips_of_one_size_are_left_as_they_are(footage) -> None:
    for clip in planned(footage("closed.mp4", options=FAST), 0.5):
        assert parts(clip) == [clip]
        stats = DecodeStats()
        list(decode(clip, stats=stats))
        assert stats.met(clip)["numbers"] is None


def test_what_changes_all_the_time_is_refused(joined, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    [clip] = planned(joined)
    with pytest.raises(VideoError, match="change size 1 times between number 0 and 120, the most is 0"):
        parts(clip)


def test_a_later_plan_knows_the_parts_of_an_earlier_one(joined, footage) -> None:
    [clip] = planned(joined)
    others = planned(footage("closed.mp4", options=FAST), 0.5)
    cut = parts(clip)
    assert with_known_parts([clip, *others], [*cut, *others]) == [*cut, *others]
    assert with_known_parts([clip, *others], []) == [clip, *others]
    assert with_known_parts([clip], cut[:1]) == [clip], "they do not tile it"
    [longer] = [Clip(**{**vars(clip), "size_bytes": clip.size_bytes + 1})]
    assert with_known_parts([longer], cut) == [longer], "the file is another one"
