"""Overlay videos: the source's frames and times, in class colors where a clip is done."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pyarrow as pa
import pytest

from vss_ray import config
from vss_ray.errors import ConfigError, StorageError, VideoError
from vss_ray.export.drawing import BACKGROUND, OverlayFrame, Painter, Passage
from vss_ray.export.export import export
from vss_ray.export.formats.overlay import write_overlay
from vss_ray.export.walk import Selection
from vss_ray.index.build import compact
from vss_ray.index.search import search
from vss_ray.labels import taxonomy
from vss_ray.masks import ffv1
from vss_ray.media.archive import list_videos
from vss_ray.media.probe import probe
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips
from vss_ray.run import Run
from vss_ray.storage.commit import commit
from vss_ray.storage.location import Location

CAMVID = taxonomy.load("camvid")
SKY, ROAD, CAR = (CAMVID.index(name) for name in ("sky", "road", "car"))
FRAME_RATE = 12.5
TIMES = [(n * 1000 + (n % 3) * 100) / 12_500 for n in range(25)]  # seconds, unevenly apart


def labels(index: int, height: int, width: int) -> np.ndarray:
    ids = np.full((height, width), SKY, np.uint8)
    ids[height // 2 :] = ROAD
    ids[height // 2 : height // 2 + 8, index : index + 12] = CAR
    return ids


def passage_of(ids: list[np.ndarray], seconds: list[float], keyframes: list[int]) -> Passage:
    shares = np.stack([np.bincount(each.ravel(), minlength=256)[: len(CAMVID)] / each.size for each in ids])
    is_keyframe = np.isin(np.arange(len(ids)), keyframes)
    return Passage(seconds[0], seconds[-1] + 0.08, np.array(seconds), is_keyframe, shares.astype(np.float32))


def frames_of(height: int, width: int, count: int = 6) -> list[OverlayFrame]:
    ids = [labels(index, height, width) for index in range(count)]
    passage = passage_of(ids, TIMES[:count], [0, 5])
    image = np.full((height, width, 3), 200, np.uint8)
    distance = [min(n % 5, -n % 5) for n in range(count)]
    return [OverlayFrame(image, ids[n], TIMES[n], distance[n], passage) for n in range(count)]


@pytest.fixture
def run(tmp_path) -> Run:
    """Two clips of a 64x48 video of 25 frames; only the first is committed."""
    source = tmp_path / "drive.mp4"
    gray = (np.full((48, 64, 3), 8 * n, np.uint8) for n in range(25))
    ticks = [round(second * 12_500) for second in TIMES]
    write_video(source, gray, gop=10, fps=FRAME_RATE, pts=ticks, time_base=Fraction(1, 12_500))
    (entry,) = list_videos(str(source))
    clips = plan_clips(replace(probe(entry), video_id="drive"), seconds=0.8)
    assert len(clips) > 1
    run = Run(Location.open(tmp_path / "out"), config.load("evs"), CAMVID, str(tmp_path), "0123456789abcdef")
    run.write_manifest(clips)
    clip = clips[0]
    ids = [labels(n, 48, 64) for n in range(clip.num_frames)]
    passage = passage_of(ids, TIMES[: clip.num_frames], [0])
    table = pa.table(
        {
            "frame": pa.array(range(clip.num_frames), pa.int64()),
            "pts_seconds": passage.pts_seconds,
            "is_keyframe": passage.is_keyframe,
            "key_distance": pa.array(range(clip.num_frames), pa.int32()),
            "unreliable": np.zeros(clip.num_frames, np.float32),
            "area": pa.FixedSizeListArray.from_arrays(passage.shares.ravel(), len(CAMVID)),
        }
    )
    mask = ffv1.build(ffv1.Config()).encode(ids)
    commit(run.location, clip.video_id, clip.clip_id, mask, table, clip.to_row())
    return run


def export_overlay(run: Run, dest: str, *options: str, video_id: str | None = None) -> list[str]:
    """The paths."""
    units = list(export(run, dest, "overlay", Selection(video_id=video_id), options))
    return [f"{dest}/{file}" for unit in units for file in unit.files]


def read(path: str) -> tuple[list[np.ndarray], list[float]]:
    with av.open(path) as container:
        frames = [(frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(video=0)]
    return [image for image, _ in frames], [time for _, time in frames]


def test_video_has_the_frames_and_times_of_the_source(run, tmp_path):
    (path,) = export_overlay(run, str(tmp_path / "dest"))
    assert path == str(tmp_path / "dest" / "drive.mp4")
    images, times = read(path)
    np.testing.assert_allclose(times, TIMES, atol=2e-5)
    assert images[0].shape[1] == 64
    assert images[0].shape[0] > 48
    done = run.location.list("commits")[0].removesuffix(".parquet").split("-")[-1]
    for index, image in enumerate(images):
        colored = int(np.ptp(image[40:47, 34:62].mean((0, 1)))) > 20
        assert colored == (index < int(done)), index


def test_plays_while_it_loads(run, tmp_path):
    (path,) = export_overlay(run, str(tmp_path / "dest"))
    with open(path, "rb") as file:
        content = file.read()
    assert content.index(b"moov") < content.index(b"mdat")
    assert [entry.name for entry in (tmp_path / "dest").glob("[!.]*")] == ["drive.mp4"]


def test_alpha_is_how_much_color_is_seen(run, tmp_path):
    for alpha in (0.0, 1.0):
        (path,) = export_overlay(run, str(tmp_path / f"dest{alpha}"), f"alpha={alpha}", video_id="drive")
        pixel = read(path)[0][5][44, 50].astype(int)
        wanted = np.array(CAMVID.colors[ROAD]) if alpha else np.array([40, 40, 40])
        assert np.abs(pixel - wanted).max() < 25


def test_wrong_options_are_named(run, tmp_path):
    with pytest.raises(ConfigError, match=r"alpha is 1\.5"):
        export_overlay(run, str(tmp_path), "alpha=1.5")
    with pytest.raises(ConfigError, match=r"no video 'x' .* there is drive"):
        export_overlay(run, str(tmp_path), video_id="x")
    with pytest.raises(ConfigError, match="is the source itself"):
        export_overlay(run, str(tmp_path))
    with pytest.raises(ConfigError, match="local folder"):
        export_overlay(run, "s3://bucket/dest")
    with pytest.raises(StorageError, match=r"run\.json"):
        Run.open(Location.open(tmp_path / "empty"))


def test_missing_source_and_dest_are_named(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"/file/x/.*: a file stands where a folder belongs"):
        export_overlay(run, str(tmp_path / "file" / "x"))
    (tmp_path / "drive.mp4").unlink()
    with pytest.raises(StorageError, match=r"drive\.mp4"):
        export_overlay(run, str(tmp_path / "dest"))
    assert not (tmp_path / "dest" / "drive.mp4").exists()


def test_damaged_source_is_shown_as_far_as_it_goes(run, tmp_path):
    source = tmp_path / "drive.mp4"
    with av.open(source, "r") as container:
        begins = [packet.pos or 0 for packet in container.demux(video=0) if packet.size]
    data = source.read_bytes()
    source.write_bytes(data[: begins[16]] + bytes(begins[24] - begins[16]) + data[begins[24] :])
    (path,) = export_overlay(run, str(tmp_path / "dest"))
    assert 10 < len(read(path)[0]) < 25


def test_spans_follow_one_another(made, write):
    compact(made.run.location)
    query = "car > 15% or pole > 0.5%"
    path = write("overlay", where=query, video_id="drive_1-0000beef") / "drive_1-0000beef.mp4"
    hits = [hit for hit in search(made.run.location, query, CAMVID) if hit.video_id == "drive_1-0000beef"]
    assert len(hits) > 1
    images, times = read(str(path))
    assert len(images) == sum(hit.frames for hit in hits)
    np.testing.assert_allclose(np.diff(times), 1 / 12.5, atol=2e-5)


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (49, 65), (360, 480), (200, 30)])
def test_any_size_is_drawn(tmp_path, size):
    path = tmp_path / "out.mp4"
    write_overlay([(frame.pts_seconds, frame) for frame in frames_of(*size)], path, taxonomy=CAMVID)
    images, _ = read(str(path))
    assert len(images) == 6
    assert images[0].shape[0] >= size[0]
    assert images[0].shape[1] in (size[1], size[1] + 1)


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(VideoError, match="no frame"):
        write_overlay([], tmp_path / "out.mp4", taxonomy=CAMVID)


def test_void_keeps_the_picture():
    frame = frames_of(120, 160)[1]
    ids = labels(1, 120, 160)
    ids[80:100, 50:100] = 255
    picture = Painter(120, 160, CAMVID, 0.5).draw(OverlayFrame(frame.image, ids, 0.1, 1, frame.passage))
    np.testing.assert_array_equal(picture[81:99, 51:99], frame.image[81:99, 51:99])
    road = np.array(CAMVID.colors[ROAD]) * 0.5 + 100
    assert np.abs(picture[110, 20] - road).max() <= 1


def test_bar_is_as_long_as_the_shares():
    frame = frames_of(360, 480)[0]
    picture = Painter(360, 480, CAMVID, 0.5).draw(frame)
    bar = picture[362]
    for index in (SKY, ROAD, CAR):
        drawn = (bar == np.array(CAMVID.colors[index])).all(1).mean()
        assert drawn == pytest.approx((frame.ids == index).mean(), abs=0.005)


def test_legend_names_only_what_is_there():
    frame = frames_of(360, 480)[0]
    painter = Painter(360, 480, CAMVID, 0.5)
    legend = painter.draw(frame)[368:400]
    for index in range(len(CAMVID)):
        assert (legend == np.array(CAMVID.colors[index])).all(2).any() == (index in (SKY, ROAD, CAR))


def test_frame_that_is_not_done_is_plain():
    nothing = Passage(0.0, 1.0, np.zeros(0), np.zeros(0, bool), np.zeros((0, len(CAMVID)), np.float32))
    image = np.full((120, 160, 3), 77, np.uint8)
    picture = Painter(120, 160, CAMVID, 0.5).draw(OverlayFrame(image, None, 0.5, 0, nothing))
    assert (picture[60:120] == 77).all()
    assert (picture[121] == BACKGROUND).all()


def test_many_classes_fit():
    rows = [{"name": f"class number {n}"} for n in range(300)]
    many = taxonomy.Taxonomy.from_dict({"name": "many", "classes": rows})
    ids = np.arange(120 * 160, dtype=np.uint16).reshape(120, 160) % 301
    ids[ids == 300] = many.void
    shares = np.full((2, 300), 1 / 301, np.float32)
    passage = Passage(0.0, 1.0, np.array([0.0, 0.5]), np.array([True, False]), shares)
    picture = Painter(120, 160, many, 0.5).draw(OverlayFrame(np.zeros((120, 160, 3), np.uint8), ids, 0, 0, passage))
    assert picture.shape[1] == 160
