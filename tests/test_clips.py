"""Values of the plan: names that sort and stay, rows that come back."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.clips import Clip, video_id

CLIP = Clip(
    video_id="a-1234",
    source="/archive/a.mp4",
    size_bytes=10,
    width=320,
    height=240,
    rotation=0,
    start=5,
    stop=9,
    start_seconds=0.2,
    stop_seconds=0.36,
    first_pts=None,
    last_pts=None,
    origin_pts=0,
    seek_pts=None,
    num_packets=9,
)


def test_rows_come_back_and_say_more() -> None:
    row = CLIP.to_row()
    assert row["clip_id"] == CLIP.clip_id == "000000005-000000009"
    assert Clip.from_row({**row, "added_later": 1}) == CLIP
    assert CLIP.num_frames == 4


def test_rows_come_back_from_json() -> None:
    clip = replace(CLIP, coarse_frames=(5, 7), coarse_pts=(500, 700))
    assert Clip.from_row(json.loads(json.dumps(clip.to_row()))) == clip


@settings(deadline=None)
@given(st.integers(0, 10**9 - 2), st.integers(0, 10**9 - 2))
def test_clips_sort_by_their_names(first: int, second: int) -> None:
    one, two = (replace(CLIP, start=start, stop=start + 1).clip_id for start in (first, second))
    assert (one < two) == (first < second)


@settings(deadline=None)
@given(st.text(min_size=1))
def test_names_of_videos_are_safe(path: str) -> None:
    name = video_id(path)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name)
    assert name == video_id(path)


@pytest.mark.parametrize(("one", "two"), [("a.mp4", "a.mkv"), ("a/b.mp4", "a_b.mp4"), ("ä.mp4", "ö.mp4")])
def test_names_of_videos_differ(one: str, two: str) -> None:
    assert video_id(one) != video_id(two)


def test_names_stay_as_they_are() -> None:
    assert video_id("drive 1/front.mp4") == "drive_1_front-" + video_id("drive 1/front.mp4")[-8:]
    assert video_id("\udcff.mp4").startswith("video-")


def test_pictures_that_are_in_no_file_are_a_clip_too() -> None:
    clip = Clip.of_pictures("drive", 12, 10.0, 90, 160)
    assert (clip.num_frames, clip.height, clip.width) == (12, 90, 160)
    assert clip.stop_seconds == pytest.approx(1.2)
    assert clip.source == "drive"
    assert Clip.from_row(clip.to_row()) == clip
