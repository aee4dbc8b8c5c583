"""Objects followed on a real Ray: pointed at in three ways, found without, redone only where something changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from vss_ray import config
from vss_ray.cluster.segment import segment
from vss_ray.cluster.things import track_things
from vss_ray.cluster.track import track
from vss_ray.datasets import scenes
from vss_ray.errors import ConfigError, DataError, RunMismatchError, StorageError
from vss_ray.index.search import search
from vss_ray.index.tracks import compact_tracks
from vss_ray.media.write import write_video
from vss_ray.run import Run
from vss_ray.storage.commit import committed, read_mask, read_record
from vss_ray.storage.location import Location
from vss_ray.tracking import linking, tracker

QUIET = Console(quiet=True)
SCENE = scenes.Config(height=160, width=256, num_frames=48, fps=12, seed=20, num_cars=6, static_camera=True)
SMALL = tracker.Config(height=128, width=208)


@pytest.fixture(scope="module")
def street() -> list[scenes.SceneFrame]:
    return list(scenes.render(SCENE))


@pytest.fixture(scope="module")
def source(street, tmp_path_factory) -> Path:
    """Two videos: a street, and the same backwards."""
    folder = tmp_path_factory.mktemp("streets")
    write_video(folder / "there.mp4", (frame.rgb for frame in street), fps=12, gop=12)
    write_video(folder / "back.mp4", (frame.rgb for frame in reversed(street)), fps=12, gop=12)
    return folder


@pytest.fixture(scope="module")
def out(local_ray, source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    point = config.load("evs", ["clip_seconds=1.5", "keyframes.every=6", "segmenter.short_side=160"])
    segment(str(source), str(folder), point, limit=None, address=None, console=QUIET)
    return folder


@pytest.fixture(scope="module")
def thing(street) -> tuple[int, np.ndarray, np.ndarray]:
    """The object that is large and seen from the first to the last frame: its id, and its masks there."""
    ids = set(np.unique(street[0].instances)) & set(np.unique(street[-1].instances)) - {0}
    one = max(ids, key=lambda each: min((frame.instances == each).sum() for frame in street))
    return int(one), street[0].instances == one, street[-1].instances == one


def follow(source, out, init, **options):
    settings = {"weights": "rts_mobilenet_v2_camvid", "config": SMALL, "address": None, "console": QUIET}
    return track(str(source), str(out), init, **settings | options)


def rows(out: Path) -> list[dict]:
    return pq.read_table(out / "tables/tracks.parquet/part-0.parquet").to_pylist()


def pictures(out: Path, folder: str = "objects") -> dict[tuple[str, str], str]:
    location = Location.open(out / folder)
    return {key: read_record(location, *key)[0]["mask_sha256"] for key in sorted(committed(location))}


def test_pointed_at_by_mask_box_and_class(local_ray, source, out, thing, street, tmp_path):
    number, first, last = thing
    cv2.imwrite(str(tmp_path / "first.png"), first.astype(np.uint8) * 255)
    cv2.imwrite(str(tmp_path / "last.png"), last.astype(np.uint8) * 255)
    y, x = np.nonzero(first)
    box = [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]
    init = tmp_path / "init.yaml"
    both = "\n  - {id: 7, video: there.mp4, at: 3.95, mask: last.png}"
    init.write_text(
        "objects:\n  - {id: 7, video: there.mp4, at: 0, mask: first.png}\n"
        f"  - {{id: 2, video: back.mp4, at: 4.0, box: {box}}}\n"
        "  - {id: 9, video: back.mp4, at: 1, largest: road}\n"
    )
    summary = follow(source, out, init)
    run = Run.open(Location.open(out))
    videos = {Path(row["source"]).stem: row["video_id"] for row in run.manifest_rows()}
    assert (summary.videos, summary.clips_before, summary.failures) == (2, 0, [])
    assert summary.clips_done == len(run.manifest_rows()) == len(pictures(out))

    table = rows(out)
    assert {(row["video_id"], row["track"]) for row in table} == {
        (videos["there"], 7), (videos["back"], 2), (videos["back"], 9)
    }  # fmt: skip
    assert {row["class_name"] for row in table if row["track"] == 9} == {"road"}
    seven = [row for row in table if row["track"] == 7]
    assert [row["frame"] for row in seven] == list(range(48))
    truth = [frame.instances == number for frame in street]
    overlaps = []
    for row, mask in zip(seven, truth, strict=True):
        y, x = np.nonzero(mask)
        wanted = (x.min(), y.min(), x.max() + 1, y.max() + 1)
        found = [row[side] or 0 for side in ("left", "top", "right", "bottom")]
        overlaps.append(overlap(found, wanted))
    assert overlaps[0] == 1
    assert np.mean(overlaps) > 0.5
    assert search(run.location, "track 7", run.taxonomy)[0].video_id == videos["there"]
    assert not search(run.location, "track 7 in 'back*'", run.taxonomy)

    before = pictures(out)
    again = follow(source, out, init)
    assert (again.clips_done, again.clips_before) == (0, len(before))
    init.write_text(init.read_text() + both + "\n")
    more = follow(source, out, init)
    changed = {key for key, digest in pictures(out).items() if digest != before[key]}
    assert more.clips_done == sum(key[0] == videos["there"] for key in before)
    assert {key[0] for key in changed} <= {videos["there"]}
    assert not Location.open(out / "objects").list("parts")
    assert not Location.open(out / "objects").list("states")


def overlap(one, other) -> float:
    wide, high = (max(0, min(one[n + 2], other[n + 2]) - max(one[n], other[n])) for n in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / (sum(areas) - wide * high)


def test_things_are_found_in_the_labels(local_ray, source, out):
    settings = {"config": linking.Config(), "address": None, "console": QUIET}
    summary = track_things(str(source), str(out), classes=["car", "person", "bicyclist", "road"], **settings)
    run = Run.open(Location.open(out))
    assert (summary.videos, summary.failures) == (2, [])
    assert summary.clips_done == len(run.manifest_rows())
    things = [row for row in rows(out) if row["track"] > 1000]
    assert things
    location = Location.open(out / "things")
    for row in things[:: max(1, len(things) // 10)]:
        if row["left"] is None:
            continue
        labels, objects = (
            mask_of(place, row["video_id"], row["clip_id"], row["frame"]) for place in (run.location, location)
        )
        region = objects == row["track"]
        assert set(np.unique(labels[region])) == {run.taxonomy.index(row["class_name"])}
        assert region.mean() == pytest.approx(row["area"], abs=1e-6)
    again = track_things(str(source), str(out), classes=["road", "bicyclist", "person", "car"], **settings)
    assert (again.clips_done, again.clips_before) == (0, summary.clips_done)
    before = pictures(out, "things")
    fewer = track_things(str(source), str(out), classes=["road"], **settings)
    assert fewer.clips_done == len(before)
    assert {row["class_name"] for row in rows(out) if row["track"] > 1000} <= {"road"}
    assert compact_tracks(run.location) == len(rows(out))


def mask_of(location, video_id, clip_id, frame) -> np.ndarray:
    from vss_ray.masks._matroska import decode_frame

    row, frames = read_record(location, video_id, clip_id)
    place = frames["frame"].to_pylist().index(frame)
    return np.asarray(decode_frame(read_mask(location, row), place))


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        (
            "video: nowhere.mp4, at: 0, largest: car",
            ConfigError,
            "no video 'nowhere.mp4' in OUT; give its path relative",
        ),
        ("video: there.mp4, at: 99, largest: car", ConfigError, "the video ends at 4.00 s; give a time inside"),
        ("video: there.mp4, at: 0, largest: unicorn", ConfigError, "no class 'unicorn' in camvid"),
        ("video: there.mp4, at: 0, box: [900, 0, 950, 9]", DataError, "lies outside the 256x160 picture"),
        ("video: there.mp4, at: 0, mask: small.png", DataError, "is 20x10 pixels, the video 256x160"),
        ("video: there.mp4, at: 0, mask: empty.png", DataError, "has no pixel other than 0"),
        ("video: there.mp4, at: 0, mask: none.png", DataError, "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_done(local_ray, source, out, tmp_path, entry, error, message):
    cv2.imwrite(str(tmp_path / "small.png"), np.ones((10, 20), np.uint8))
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((160, 256), np.uint8))
    init = tmp_path / "init.yaml"
    init.write_text(f"objects: [{{id: 500, {entry}}}]")
    with pytest.raises(error, match=r"object 500|no video") as caught:
        follow(source, out, init)
    assert message in str(caught.value)
    assert not [row for row in rows(out) if row["track"] == 500]


def test_another_source_or_no_run_is_refused(local_ray, source, out, tmp_path):
    init = tmp_path / "init.yaml"
    init.write_text("objects: [{id: 1, video: there.mp4, at: 0, largest: car}]")
    with pytest.raises(RunMismatchError, match="give the SOURCE it was made of"):
        follow(tmp_path, out, init)
    with pytest.raises(StorageError, match="holds no run"):
        follow(source, tmp_path / "nothing", init)


def test_the_command_prints_one_document(source, out, tmp_path):
    init = tmp_path / "init.yaml"
    init.write_text("objects: [{id: 9, video: back.mp4, at: 1, box: [0, 0, 1, 1], largest: car}]")
    command = [
        str(Path(sys.executable).with_name("vss")),
        "track",
        str(source),
        str(out),
        "--init",
        str(init),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "got box and largest of mask, box and largest, wanted one" in done.stderr
    listed = subprocess.run(
        [command[0], "sql", str(out), "--json", "SELECT DISTINCT track FROM tracks"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert {row["track"] for row in json.loads(listed.stdout)} >= {2, 7, 9}
