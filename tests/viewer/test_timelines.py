"""Shares over time, in few columns."""

from __future__ import annotations

import numpy as np
import pytest

from vss_ray.index.tables import connect
from vss_ray.printable import printable
from vss_ray.viewer import archive
from vss_ray.viewer.archive import Archive
from vss_ray.viewer.pages import clock, length, percent, size
from vss_ray.viewer.timelines import Timeline, timelines


@pytest.fixture(scope="module")
def drive(run):
    return next(video for video in Archive(run).videos if video.name == "drive.mp4")


def of_frames(run, drive, columns: int) -> Timeline:
    with connect(run.location, run.taxonomy) as connection:
        return timelines(connection, len(run.taxonomy), [drive], columns)[drive.video_id]


def test_columns_are_means_of_their_frames(run, drive, drawn):
    timeline = of_frames(run, drive, 10)
    for column in range(10):
        for place, i in enumerate(timeline.classes):
            wanted = np.mean([(drawn(n) == i).mean() for n in range(column * 10, column * 10 + 10)])
            assert timeline.shares[column, place] / 255 == pytest.approx(wanted, abs=0.003)
    assert (timeline.reliable > 240).all()
    np.testing.assert_allclose(timeline.agreement / 255, 0.9, atol=0.003)


def test_in_a_long_archive_clips_stand_for_their_frames(run, drive, drawn, monkeypatch):
    monkeypatch.setattr(archive, "FEW_FRAMES", 0)
    timeline = Archive(run).timelines([drive])[drive.video_id]
    areas = np.array([[(drawn(n) == i).mean() for i in timeline.classes] for n in range(100)])
    assert set(timeline.classes) == {
        i for i in range(len(run.taxonomy)) if any((drawn(n) == i).any() for n in range(100))
    }
    middles = np.stack([(part.min(0) + part.max(0)) / 2 for part in (areas[:50], areas[50:])])
    np.testing.assert_allclose(timeline.shares[24] / 255, middles[0], atol=0.003)
    np.testing.assert_allclose(timeline.shares[-1] / 255, middles[1], atol=0.003)
    assert timeline.shares.any(1).all()


def test_more_columns_than_frames_leave_no_gaps(run, drive):
    assert of_frames(run, drive, 700).shares.any(1).all()


def test_nothing_known_is_nothing():
    assert Timeline.of(np.full((5, 4), np.nan)).classes == ()


def test_names_are_made_printable():
    assert printable("a\nb\x1b[31m\u202e\ud800é日") == "a�b�[31m��é日"


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [(length, 0.04, "0.04 s"), (length, 9.44, "9.4 s"), (length, 59.96, "1:00"), (length, 3725, "1:02:05"),
     (clock, 59.999, "1:00.00"), (clock, 9.4, "0:09.40"), (clock, 3600.5, "1:00:00.50"), (percent, 0, "0 %"),
     (percent, 0.00001, "< 0.01 %"), (percent, 0.0023, "0.23 %"), (percent, 0.0123, "1.2 %"), (percent, 0.5, "50 %"),
     (size, 999, "999 B"), (size, 8232472, "8.23 MB"), (size, 10**16, "1e+04 TB")],
)  # fmt: skip
def test_how_numbers_are_written(write, value, text):
    assert write(value) == text
