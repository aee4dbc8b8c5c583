"""Tracks as MOTChallenge text, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.errors import DataError
from vss_ray.export.mot import TrackBox, mot_text, parse_mot

thousandths = st.integers(-(10**7), 10**7).map(lambda n: n / 1000)
track_boxes = st.builds(
    TrackBox,
    st.integers(0, 10**6),
    st.integers(1, 10**4),
    thousandths,
    thousandths,
    thousandths,
    thousandths,
    thousandths,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(track_boxes, unique_by=lambda box: (box.frame, box.track_id)))
def test_round_trip(boxes):
    read = parse_mot(mot_text(boxes))
    assert [(box.frame, box.track_id) for box in read] == sorted((box.frame, box.track_id) for box in boxes)
    for one, two in zip(sorted(boxes), read, strict=True):
        assert vars(two) == pytest.approx(vars(one), abs=1e-6)


def test_whole_pixels_come_back_as_they_were():
    boxes = [TrackBox(0, 1, 0, 0, 854, 480, 0.5), TrackBox(7, 3, 12.5, 100, 20, 8)]
    assert parse_mot(mot_text(boxes)) == boxes


def test_frames_and_pixels_count_from_one_in_order_of_frame():
    boxes = [TrackBox(9, 2, 10.25, 4, 30, 7, 0.98765), TrackBox(0, 5, 0, 0, 5, 5)]
    assert mot_text(boxes) == "1,5,1,1,5,5,1,-1,-1,-1\n10,2,11.25,5,30,7,0.988,-1,-1,-1\n"
    assert mot_text([]) == ""


def test_files_of_the_challenge_itself():
    # Lines as its instructions show them: results with spaces, truth with class and visibility.
    one, two = parse_mot("1, 3, 794.27, 247.59, 71.245, 174.88, -1, -1, -1, -1\n\n2,1,912,484,97,109,0,7,1\n")
    assert (one.frame, one.track_id, one.score) == (0, 3, -1)
    assert (one.x, one.y, one.width, one.height) == pytest.approx((793.27, 246.59, 71.245, 174.88))
    assert two == TrackBox(1, 1, 911, 483, 97, 109, 0)
    assert parse_mot("3,1,1,1,2,2") == [TrackBox(2, 1, 0, 0, 2, 2, 1.0)]


@pytest.mark.parametrize(
    "line",
    [
        "1,1,1,1,2",
        "one,1,1,1,2,2,1",
        "1.5,1,1,1,2,2,1",
        "0,1,1,1,2,2,1",
        "1,0,1,1,2,2,1",
        "1,1,nan,1,2,2,1",
        "inf,1,1,1,2,2",
    ],
)
def test_other_lines_are_named(line):
    with pytest.raises(DataError, match=r"gt\.txt, line 2: .*; wanted frame, id, left, top"):
        parse_mot(f"1,1,1,1,2,2,1\n{line}\n", "gt.txt")


@pytest.mark.parametrize("numbers", [(-1, 1, 0, 0, 1, 1), (0, 0, 0, 0, 1, 1), (0, 1, float("nan"), 0, 1, 1)])
def test_boxes_that_cannot_be_written_are_refused(numbers):
    with pytest.raises(ValueError, match=r"count from|numbers that are none"):
        TrackBox(*numbers)
