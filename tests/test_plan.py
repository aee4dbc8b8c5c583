"""Plans tile the video, start where decoding can start, and feed every packet that a frame needs."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.clips import LONGEST, Video
from vss_ray.errors import ConfigError
from vss_ray.plan import plan_clips


def video(groups: list[int], *, bframes: int = 0, open_groups: bool = False, gaps: list[int] | None = None) -> Video:
    """A video of groups of the given lengths at 10 frames a second, decoded as encoders with B-frames order them."""
    keyframes = [sum(groups[:number]) for number in range(len(groups))]
    count = sum(groups)
    anchors = [
        frame for frame in range(count) if frame in keyframes or anchor(frame, keyframes, bframes, open_groups, count)
    ]
    decoding: list[int] = []
    for before, frame in pairwise([-1, *anchors]):
        decoding += [frame, *range(before + 1, frame)]
    position = {frame: place for place, frame in enumerate(decoding)}
    times = [0]
    for number in range(1, count):
        times.append(times[-1] + (1 if gaps is None else gaps[number % len(gaps)]))
    return Video(
        video_id="v",
        source="v.mp4",
        size_bytes=1,
        width=64,
        height=64,
        rotation=0,
        codec="h264",
        num_frames=count,
        duration_seconds=(times[-1] + 1) / 10,
        pts=tuple(1000 + t for t in times),
        packets=tuple(position[frame] for frame in range(count)),
        time_base=0.1,
        codec_keyframes=tuple(keyframes),
    )


def anchor(frame: int, keyframes: list[int], bframes: int, open_groups: bool, count: int) -> bool:
    """Whether others are predicted from a frame: every n-th of its group, and the last before a closed group."""
    begin = max(keyframe for keyframe in keyframes if keyframe <= frame)
    last = frame == count - 1 or (frame + 1 in keyframes and not open_groups)
    return (frame - begin) % (bframes + 1) == 0 or last


videos = st.builds(
    video,
    st.lists(st.integers(1, 80), min_size=1, max_size=25),
    bframes=st.integers(0, 4),
    open_groups=st.booleans(),
    gaps=st.none() | st.lists(st.integers(1, 60), min_size=1, max_size=9),
)
lengths = st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0, 1000.0])


@settings(deadline=None)
@given(videos, lengths)
def test_clips_tile_the_video_and_feed_what_they_need(video: Video, seconds: float) -> None:
    clips = plan_clips(video, seconds)
    assert clips[0].start == 0
    assert clips[-1].stop == video.num_frames
    assert all(before.stop == after.start for before, after in pairwise(clips))
    assert all(before.stop_seconds == after.start_seconds for before, after in pairwise(clips))
    for clip in clips:
        assert clip.start < clip.stop
        assert (clip.first_pts, clip.last_pts) == (video.pts[clip.start], video.pts[clip.stop - 1])
        assert clip.origin_pts == video.pts[0]
        keyframe = 0 if clip.seek_pts is None else video.pts.index(clip.seek_pts)
        assert keyframe == max(k for k in video.codec_keyframes if k <= clip.start)
        begin = video.packets[keyframe] if keyframe else 0
        needed = video.packets[clip.start : clip.stop]
        assert begin <= min(needed)
        assert max(needed) - begin < clip.num_packets <= max(needed) - begin + 2


@settings(deadline=None)
@given(videos, lengths, st.booleans())
def test_the_coarse_pass_sees_every_codec_keyframe_and_something_of_every_clip(
    video: Video, seconds: float, timed: bool
) -> None:
    video = video if timed else replace(video, pts=(), packets=(), codec_keyframes=(0,))
    clips = plan_clips(video, seconds)
    for clip in clips:
        first, *others = clip.coarse_frames
        assert first == clip.start
        assert list(clip.coarse_frames) == sorted({*clip.coarse_frames})
        assert {*others} <= {*video.codec_keyframes}
        assert all(clip.start < frame < clip.stop for frame in others)
        assert clip.coarse_pts == tuple(video.pts[frame] for frame in clip.coarse_frames if video.pts)
    seen = {frame for clip in clips for frame in clip.coarse_frames}
    assert seen == {*video.codec_keyframes, *(clip.start for clip in clips)}


@settings(deadline=None)
@given(videos, lengths)
def test_only_long_groups_are_cut_inside(video: Video, seconds: float) -> None:
    clips = plan_clips(video, seconds)
    times = [(pts - video.pts[0]) * video.time_base for pts in video.pts] + [video.duration_seconds]
    ends = [*video.codec_keyframes, video.num_frames]
    long = {(a, b) for a, b in pairwise(ends) if times[b] - times[a] > LONGEST * seconds}
    for clip in clips:
        if clip.start not in video.codec_keyframes:
            assert any(a < clip.start < b for a, b in long)
        longest = LONGEST * seconds + 1e-6
        assert clip.stop_seconds - clip.start_seconds <= longest or any(a <= clip.start < b for a, b in long)
        assert not any(a < clip.start < b < clip.stop for a, b in long)


@settings(deadline=None)
@given(st.lists(st.integers(1, 10), min_size=1, max_size=60), st.integers(0, 3), st.booleans())
def test_lengths_are_near_the_wanted_one(groups: list[int], bframes: int, open_groups: bool) -> None:
    made = video(groups, bframes=bframes, open_groups=open_groups)
    clips = plan_clips(made, 1.0)
    spans = [clip.stop_seconds - clip.start_seconds for clip in clips]
    if made.duration_seconds >= 0.5:
        assert min(spans) >= 0.5 - 1e-6
    assert max(spans) <= 2.0 + 1e-6


def test_examples() -> None:
    def cuts(groups: list[int], seconds: float) -> list[int]:
        return [clip.start for clip in plan_clips(video(groups), seconds)]

    assert cuts([25] * 8, 10.0) == [0, 100]
    assert cuts([30] * 10, 10.0) == [0, 90, 180]  # 9 s is nearer to 10 than 12; the last 12 s stay whole
    assert cuts([100, 100, 40], 10.0) == [0, 100]  # a short end is added to the clip before
    assert cuts([100, 100, 60], 10.0) == [0, 100, 200]
    assert cuts([40, 290, 100], 10.0) == [0, 40, 330]  # 4 s, because the next group must stay whole
    assert cuts([310], 10.0) == [0, 155]  # longer than three clips: cut inside, in equal parts
    assert cuts([40, 620, 100], 10.0) == [0, 40, 247, 454, 660]


def test_untimed_videos_are_cut_by_count() -> None:
    timed = video([100] * 8)
    untimed = Video(**{**vars(timed), "pts": (), "packets": (), "codec_keyframes": (0,)})
    clips = plan_clips(untimed, 10.0)
    assert [(clip.start, clip.stop) for clip in clips] == [(0, 267), (267, 534), (534, 800)]
    assert {(clip.first_pts, clip.last_pts, clip.seek_pts) for clip in clips} == {(None, None, None)}
    assert clips[1].start_seconds == pytest.approx(26.7)
    assert clips[-1].stop_seconds == pytest.approx(80.0)


def test_a_pause_in_the_recording() -> None:
    """Hours without a frame inside one group must not become clips without a frame."""
    paused = video([300], gaps=[1] * 100 + [10**6])
    clips = plan_clips(paused, 10.0)
    assert all(clip.num_frames > 0 for clip in clips)
    assert len(clips) < 20


def test_a_length_that_makes_no_sense() -> None:
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="wanted more than 0"):
            plan_clips(video([10]), seconds)


def test_an_hour_at_sixty_frames_plans_at_once() -> None:
    count = 3600 * 60
    hour = Video(
        **{
            **vars(video([1])),
            "num_frames": count,
            "duration_seconds": 3600.0,
            "pts": tuple(range(0, 1500 * count, 1500)),
            "packets": tuple(range(count)),
            "time_base": 1 / 90000,
            "codec_keyframes": tuple(range(0, count, 60)),
        }
    )
    started = time.perf_counter()
    clips = plan_clips(hour)
    assert time.perf_counter() - started < 1.0
    assert len(clips) == 360
