"""A real run answers: for a moment, a picture file, and for what it holds twice."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vss_ray.cli import app
from vss_ray.errors import ModelError, VideoError
from vss_ray.index.duplicates import duplicates
from vss_ray.index.similar import similar, similar_to
from vss_ray.lookup.picture import embed_picture, read_picture
from vss_ray.media.archive import list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.plan import plan_clips
from vss_ray.run import Run

SHIFT = 4.0


def find(videos: list[str], name: str) -> str:
    return next(video for video in videos if video.startswith(name))


@pytest.fixture(scope="module")
def videos(run: Run) -> list[str]:
    return sorted({row["video_id"] for row in run.manifest_rows()})


@pytest.fixture
def photo(archive: Path, tmp_path: Path) -> Path:
    """The picture at 9 s of the drive along the yellow line, as a camera would have kept it."""
    (entry,) = list_videos(str(archive / "yellow.mp4"))
    frames = (frame for clip in plan_clips(probe(entry)) for frame in decode(clip))
    picture = next(frame.rgb(*frame.size) for frame in frames if frame.pts_seconds >= 9)
    path = tmp_path / "photo of a road.jpg"
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return path


def test_a_moment_of_the_copy_is_the_same_moment_of_the_original(run, videos):
    phone, yellow = find(videos, "phone"), find(videos, "yellow")
    found = similar(run.location, run.taxonomy, phone, 6.0)
    (nearest,) = [s for s in found if s.video_id == yellow and abs(s.seconds - 6 - SHIFT) <= 1.5][:1]
    assert nearest.score > 0.9
    assert found.index(nearest) <= 3
    assert all(s.video_id != phone or abs(s.seconds - 6) > 3 for s in found)


def test_a_picture_is_found_where_it_was_taken(run, videos, photo):
    vector = embed_picture(run, str(photo))
    assert vector.dtype == np.float16
    first, *_ = similar_to(run.location, run.taxonomy, vector, 3)
    assert first.video_id == find(videos, "yellow")
    assert first.seconds == pytest.approx(9, abs=1.0)
    assert first.score > 0.97


def test_the_copy_is_reported(run, videos):
    (found,) = duplicates(run.location, run.taxonomy)
    assert (found.video_id, found.other_id) == (find(videos, "phone"), find(videos, "yellow"))
    assert found.other_start - found.start == pytest.approx(SHIFT, abs=0.6)
    assert found.seconds > 12


def test_the_command_line(run, videos, photo):
    def ask(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["similar", run.location.root, *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    found = json.loads(ask("phone*@0:06", "--limit", "3", "--json"))
    assert found == [s.to_dict() for s in similar(run.location, run.taxonomy, find(videos, "phone"), 6.0, 3)]
    assert "2 moments" in ask(str(photo), "--limit", "2")
    (twice,) = json.loads(ask("--duplicates", "--json"))
    assert twice["video_id"] == find(videos, "phone")
    assert "held twice: 1" in ask("--duplicates")


def test_errors_say_what_was_wanted(run, photo, tmp_path):
    with pytest.raises(VideoError, match=r"nothing\.jpg: no picture can be read of it: No such file"):
        read_picture(str(tmp_path / "nothing.jpg"))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(VideoError, match=r"text\.png: no picture can be read of it: .+; wanted a JPEG, PNG or WebP"):
        read_picture(str(tmp_path / "text.png"))

    class Other(Run):
        def content(self):
            return {**super().content(), "weights_sha256": "0" * 64}

    with pytest.raises(ModelError, match=r"was made with weights 000000000000, here are .+: what they see cannot be"):
        embed_picture(Other(**vars(run)), str(photo))
