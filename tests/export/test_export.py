"""What all formats share: they go on where they stopped, keep folders apart, take a query, and reach object storage."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from vss_ray import plugins
from vss_ray.cli.app import app
from vss_ray.cli.show import FORMATS
from vss_ray.errors import ConfigError
from vss_ray.export.export import FAMILY, export
from vss_ray.export.pictures import jpeg
from vss_ray.export.walk import Selection
from vss_ray.storage.commit import commit, read_mask, read_record
from vss_ray.storage.location import Location

NAMES = plugins.names(FAMILY)
# A recording counts its rows by the clock; x264 looks past the edge of pictures as small as these.
SAME_BYTES = [name for name in NAMES if name not in ("rerun", "overlay")]


def test_help_names_every_format():
    assert FORMATS.split(", or")[0].split(", ") == NAMES


def test_unknown_format_is_told(made, tmp_path):
    with pytest.raises(ConfigError, match=r"there is no 'cocoa'; there is cityscapes, coco, cvat, davis, fiftyone"):
        list(export(made.run, str(tmp_path), "cocoa"))
    with pytest.raises(ConfigError, match=r"unknown key alhpa; did you mean alpha"):
        list(export(made.run, str(tmp_path), "overlay", options=["alhpa=1"]))


@pytest.mark.parametrize("name", NAMES)
def test_second_time_makes_nothing(name, made, tmp_path):
    if name == "rerun":
        pytest.importorskip("rerun", reason="rerun-sdk is an extra: pip install 'vss-ray[rerun]'")
    first = list(export(made.run, str(tmp_path / "dest"), name))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "dest").rglob("*.[pjmrztw]*")}
    second = list(export(made.run, str(tmp_path / "dest"), name))
    assert not any(unit.reused for unit in first)
    assert all(unit.reused for unit in second)
    assert [(unit.video_id, unit.files, unit.frames) for unit in first] == [
        (unit.video_id, unit.files, unit.frames) for unit in second
    ]
    for unit in first:
        for file in unit.files:
            path = tmp_path / "dest" / file
            assert path.stat().st_mtime_ns == times[path]


@pytest.mark.parametrize("name", SAME_BYTES)
def test_killed_and_resumed_gives_the_same_bytes(name, made, tmp_path, write, digests):
    whole = digests(write(name, dest="whole"))
    assert not [path for path in whole if path.endswith(".partial")]
    units = export(made.run, str(tmp_path / "killed"), name)
    next(units)
    units.close()
    write(name, dest="killed")
    assert digests(tmp_path / "killed") == whole
    paths = [path for path in sorted(whole) if not path.endswith("export.json")]
    for path in random.Random(0).sample(paths, len(paths) // 2):
        (tmp_path / "killed" / path).unlink()
    assert digests(write(name, dest="killed")) == whole


@pytest.mark.parametrize("name", ["cvat", "webdataset", "fiftyone"])
def test_killed_inside_a_unit_leaves_no_half_file(name, made, tmp_path, write, digests, monkeypatch):
    whole = digests(write(name, dest="whole"))
    calls = []

    def dies(image):
        calls.append(image)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return jpeg(image)

    with monkeypatch.context() as patched:
        patched.setattr(f"vss_ray.export.formats.{name}.jpeg", dies)
        with pytest.raises(KeyboardInterrupt):
            write(name, dest="killed")
    left = digests(tmp_path / "killed")
    assert len(left) < len(whole)
    assert all(whole[path] == digest for path, digest in left.items())
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith("vss-")]
    assert digests(write(name, dest="killed")) == whole


def test_clip_made_anew_is_exported_anew(made, tmp_path, write, digests):
    write("png")
    clip = next(row for row in made.run.manifest_rows() if row["video_id"] == "walk-0000beef")
    video_id, name = clip["video_id"], clip["clip_id"]
    location = made.run.location
    # The walk's first clip held one frame; now it has the ten of the drive's.
    row, frames = read_record(location, "drive_1-0000beef", "000000000-000000010")
    ids = {"video_id": video_id, "clip_id": name}
    for column, value in ids.items():
        place = frames.column_names.index(column)
        frames = frames.set_column(place, frames.schema.field(column), pa.array([value] * len(frames)))
    commit(location, video_id, name, read_mask(location, row), frames, row)
    units = list(export(made.run, str(tmp_path / "dest"), "png"))
    assert [unit.reused for unit in units] == [True, True, False, True, True]
    assert len(list((tmp_path / "dest" / video_id).glob("*.png"))) == 12


def test_frames_that_are_no_longer_wanted_go_away(made, tmp_path, monkeypatch):
    dest = tmp_path / "dest"
    list(export(made.run, str(dest), "png", Selection(video_id="drive_1-0000beef")))
    monkeypatch.setattr("vss_ray.export.folder.Folder.claim", lambda *_: None)
    list(export(made.run, str(dest), "png", Selection(video_id="drive_1-0000beef", every=5)))
    names = [path.stem[-2:] for path in sorted(dest.glob("drive*/*.png"))]
    assert names == ["00", "05", "10", "15"]


def test_folder_holds_one_export(made, tmp_path):
    list(export(made.run, str(tmp_path / "dest"), "png", Selection(every=2)))
    with pytest.raises(ConfigError, match=r"another export: every was 2, is 3; choose another folder"):
        list(export(made.run, str(tmp_path / "dest"), "png", Selection(every=3)))
    with pytest.raises(ConfigError, match=r"format was 'png', is 'overlay'"):
        list(export(made.run, str(tmp_path / "dest"), "overlay", Selection(every=2)))


def test_run_is_no_place_for_its_export(made):
    with pytest.raises(ConfigError, match=r"out is the run itself; choose another folder"):
        list(export(made.run, made.run.location.root, "png"))


def test_source_that_is_gone_bad_stops_only_its_video(made, tmp_path):
    (tmp_path / "videos" / "drive_1.mp4").write_bytes(b"no video")
    units = list(export(made.run, str(tmp_path / "dest"), "webdataset"))
    assert [bool(unit.error) for unit in units] == [True, True, False, False, False]
    assert "drive_1.mp4" in (units[0].error or "")
    units = list(export(made.run, str(tmp_path / "videos_dest"), "cvat"))
    assert [bool(unit.error) for unit in units] == [True, False]
    assert sorted(path.name for path in (tmp_path / "videos_dest").glob("*.*")) == [".vss-export", "walk-0000beef.zip"]


@pytest.mark.s3
@pytest.mark.parametrize("name", ["coco", "webdataset"])
def test_object_storage_gets_the_same_bytes(name, s3, made, write, digests):
    dest = f"{s3.url}/export-{name}"
    list(export(made.run, dest, name))
    assert all(unit.reused for unit in export(made.run, dest, name))
    location = Location.open(dest)
    local = digests(write(name))
    assert location.list() == sorted(local)
    for path in local:
        assert location.read(path) == (write(name) / path).read_bytes()


def test_whole_videos_stay_local(made):
    with pytest.raises(ConfigError, match=r"cvat writes whole videos, to a local folder; got s3://bucket/dest"):
        list(export(made.run, "s3://bucket/dest", "cvat"))


def test_command(made, tmp_path):
    arguments = ["export", made.run.location.root, str(tmp_path / "dest"), "--format", "png", "--every", "5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "7 frames in 7 files, 0 of the frames were there" in " ".join(result.stdout.split())
    result = CliRunner().invoke(app, arguments)
    assert "7 frames in 7 files, 7 of the frames were there" in " ".join(result.stdout.split())
    (tmp_path / "videos" / "walk.mp4").write_bytes(b"no video")
    arguments[2] = str(tmp_path / "other")
    result = CliRunner().invoke(app, [*arguments[:3], "--format", "fiftyone"])
    assert result.exit_code == 2
    assert "walk.mp4" in result.stderr
