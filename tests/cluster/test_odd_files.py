"""Odd and damaged files through `vss segment`: each is done, with the frames that decode, or failed with its cause.

How many frames decode is what a plain decoder says, from the first packet to the last, passing over what it refuses.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from av.error import FFmpegError
from rich.console import Console

from vss_ray import config
from vss_ray.cluster.segment import segment
from vss_ray.datasets import scenes
from vss_ray.index.tables import count_damaged
from vss_ray.masks import h264
from vss_ray.media.container import demux, open_video
from vss_ray.media.write import write_video
from vss_ray.run import Run
from vss_ray.storage.location import Location

STAGE_SECONDS = ("prepare_seconds", "infer_seconds", "finish_seconds")
MOST_SECONDS = 60.0
"""Of a core, for one file."""
FAILED = {
    "h264_mov-3elist-encrypted.mp4": "is encrypted",
    "h264_mov-frag-encrypted.mp4": "is encrypted",
    "wmv3_wmv_drm.wmv": "is encrypted",
    "nasa_13013.mp4.audio.mp3": "has no video stream, only audio",
    "nasa_13013.mp4.audio_44100.mp3": "has no video stream, only audio",
    "audio_only.mp4": "has no video stream, only audio",
    "audio_with_cover_art.mp3": "has no video stream, only audio, cover art",
    "random_bytes.mp4": "cannot be read as video",
    "text.mp4": "cannot be read as video",
    "truncated_no_moov.mp4": "cannot be read as video",
    "zero_byte.mp4": "is empty",
}
DAMAGED = {
    "h264_brokensps.mp4": "decoder complains: SEI type 5",
    "h264_ref_10.avi": "cut short: 25 of the 30 frames",
    "h264_white_zombie_scrunch-part.mp4": "cut short: 66 of the 708 frames .* 1 of 66 frames do not decode",
    "hevc_loewe.mp4": "14 frames in front of the first codec keyframe",
    "mpeg4_demo.mp4": "cut short: 82 of the 1319 frames .* parts of 1 frames are made up",
    "bitflips.mp4": r"parts of \d+ frames are made up",
    "truncated.mkv": "cut short: it ends at .* File ended prematurely",
    "truncated_faststart.mp4": r"cut short: \d+ of the \d+ frames .* partial file",
    "ts_lost_packets.ts": r"times run backwards.* parts of \d+ frames are made up",
    "ts_pts_discontinuity.ts": "times run backwards",
    "ts_resolution_change.ts": "times run backwards",
}
"""What is told of them; of all others nothing is."""
INDEXED = {
    "h264_white_zombie_scrunch-part.mp4": 65,  # the index stopped at the first error, one frame early
    "mpeg4_demo.mp4": 45,  # the same, 44 frames early
    "nasa_13013.mp4": 390,  # the index counts the smaller of two streams
}
"""Where more decodes than the index says."""
BY_FFMPEG = {"hevc_loewe.mp4": 17}
"""Where FFmpeg 5.1 decodes more than 8.1, which PyAV has: pictures that refer to what is in front of the file."""
SIZES = {
    "av1_av1-1-b8-03-sizeup.mp4": 2,
    "h264_brokensps.mp4": 2,
    "h264_extradata-reload-multi-stsd.mp4": 2,
    "hevc_extradata-reload-multi-stsd.mp4": 2,
    "vp9_vp90-2-05-resize.mp4": 3,
    "ts_resolution_change.ts": 2,
}
"""Clips of those whose frames change size."""
POINT = ["segmenter.short_side=64", "limits.pixels=100000"]


@pytest.fixture(scope="module")
def files(test_data, tmp_path_factory) -> dict[str, Path]:
    """All of them by name; half are made here, in seconds."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg on the path, which makes half of the files")
    folder = tmp_path_factory.mktemp("made")
    script = test_data / "odd" / "generated" / "make_odd.sh"
    footage = test_data / "videos" / "udacity_solidYellowLeft_540p.mp4"
    subprocess.run(["bash", str(script), str(footage), str(folder)], check=True, capture_output=True)
    stored = (path for part in ("fate", "torchcodec") for path in (test_data / "odd" / part).iterdir())
    return {path.name: path for path in (*stored, *folder.iterdir())}


def listed(files: dict[str, Path], folder: Path) -> tuple[str, str]:
    """SOURCE, a list that names them all, and OUT."""
    listing = folder / "files.txt"
    listing.write_text("\n".join(str(path) for path in files.values()), encoding="utf-8")
    return str(listing), str(folder / "out")


def check(files: dict[str, Path], out: Path, test_data: Path) -> int:
    """Compare every file with what came of it; returns the number of damaged clips."""
    failed = {Path(row["source"]).name: row["message"] for row in pq.read_table(out / "failed.parquet").to_pylist()}
    assert failed.keys() == FAILED.keys() & files.keys()
    for name, message in failed.items():
        assert FAILED[name] in message, name
    clips, numbers = defaultdict(list), defaultdict(list)
    for row in pq.read_table(out / "tables" / "clips.parquet").to_pylist():
        clips[Path(row["source"]).name].append(row)
    columns = ["video_id", "frame", "pts_seconds"]
    for row in pq.read_table(out / "tables" / "frames.parquet", columns=columns).to_pylist():
        numbers[row["video_id"]].append(row["frame"])
    index = index_of(test_data)
    for name in files.keys() - FAILED.keys():
        rows = clips[name]
        frames = plainly_decoded(files[name])
        assert sum(row["num_frames"] for row in rows) == frames, name
        if name in index and files[name].is_relative_to(test_data):
            assert frames == INDEXED.get(name, int(index[name]["pyav_frames"])), name
            assert any(row["interlaced"] for row in rows) is (index[name]["interlaced_frames"] != "0"), name
        assert len(rows) == SIZES.get(name, len(rows)), name
        own = numbers[rows[0]["video_id"]]
        assert own == sorted(set(own)), name
        assert len(own) == frames, name
        told = "; ".join(row["damaged"] for row in rows if row["damaged"])
        assert re.search(DAMAGED.get(name, "^$"), told), f"{name}: {told}"
        for row in rows:
            mask = h264.build(h264.Config()).decode((out / row["mask_path"]).read_bytes())
            shapes = [picture.shape for picture in mask]
            assert shapes == [(row["height"], row["width"])] * row["num_frames"], name
            assert row["num_frames"] > 0
    return sum(row["damaged"] is not None for rows in clips.values() for row in rows)


def plainly_decoded(path: Path) -> int:
    found = 0
    with open_video(str(path)) as (container, stream):
        stream.thread_type = "NONE"
        packets = demux(container, stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:  # the rest cannot be read
                packet = None
            with suppress(FFmpegError):
                found += len(stream.decode(packet))
            if packet is None:
                return found


def decoded_by_ffmpeg(path: Path) -> int:
    """Frames of the stream that is taken, by the program."""
    with open_video(str(path)) as (_, stream):
        chosen = f"0:{stream.index}"
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-i", str(path), "-map", chosen, "-vsync", "passthrough"]
    hashes = subprocess.run(
        [*command, "-f", "framehash", "-hash", "crc32", "-"], capture_output=True, text=True, check=False
    )
    return sum(bool(line) and not line.startswith("#") for line in hashes.stdout.splitlines())


def index_of(test_data: Path) -> dict[str, dict[str, str]]:
    with (test_data / "odd" / "INDEX.tsv").open(encoding="utf-8") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file, delimiter="\t")}


def vss(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("vss")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture
def damaged(tmp_path) -> Path:
    """A whole file, a flipped one, one cut short, two joined of two sizes, one too large, one of no bytes at all."""
    folder = tmp_path / "source"
    folder.mkdir()

    def write(name: str, height: int = 96, width: int = 160) -> bytes:
        street = scenes.render(scenes.Config(height=height, width=width, num_frames=50, fps=25.0))
        write_video(folder / name, (frame.rgb for frame in street), options={"preset": "ultrafast"})
        return (folder / name).read_bytes()

    flipped, rng = bytearray(write("whole.mp4")), np.random.default_rng(2)
    for place in rng.integers(len(flipped) // 2, len(flipped) * 9 // 10, 60):
        flipped[place] = rng.integers(256)
    (folder / "flipped.mp4").write_bytes(flipped)
    cut = write("cut.mkv")
    (folder / "cut.mkv").write_bytes(cut[: len(cut) // 2])
    joined = write("joined.ts") + write("larger.ts", 120, 200)
    (folder / "joined.ts").write_bytes(joined)
    (folder / "larger.ts").unlink()
    write("beyond.mp4", 288, 352)
    (folder / "nothing.mp4").touch()
    return folder


@pytest.mark.slow
@pytest.mark.ray
def test_damage_is_told_sizes_are_kept_apart_and_limits_hold(local_ray, damaged, tmp_path):
    out = tmp_path / "out"
    arguments = {"limit": None, "address": None, "console": Console(quiet=True)}
    summary = segment(str(damaged), str(out), config.load("evs", POINT), **arguments)
    location = Location.open(str(out))
    rows = pq.read_table(out / "tables" / "clips.parquet").to_pylist()
    clips = {(Path(row["source"]).name, row["start"]): row for row in rows}
    assert clips.keys() == {("whole.mp4", 0), ("flipped.mp4", 0), ("cut.mkv", 0), ("joined.ts", 0), ("joined.ts", 50)}
    told = {key: row["damaged"] for key, row in clips.items()}
    assert told["whole.mp4", 0] is None
    assert "made up by the decoder" in told["flipped.mp4", 0]
    assert "cut short: it ends at" in told["cut.mkv", 0]
    assert "times run backwards" in told["joined.ts", 0]
    assert [(clips["joined.ts", at]["width"], clips["joined.ts", at]["num_frames"]) for at in (0, 50)] == [
        (160, 50),
        (200, 50),
    ]
    assert not any(row["interlaced"] for row in rows)
    assert {row["num_video_streams"] for row in rows} == {1}
    failed = {Path(failure.source).name: failure.message for failure in Run.open(location).failures()}
    assert failed.keys() == {"beyond.mp4", "nothing.mp4"}
    assert "frames are 352x288, the limit is 100,000 pixels" in failed["beyond.mp4"]
    assert summary.clips_damaged == count_damaged(location) == 4
    again = segment(str(damaged), str(out), config.load("evs", [*POINT, "limits.frames=10000"]), **arguments)
    assert (again.clips_done, again.clips_before) == (0, 5), "parts of clips are done, and limits may change"


@pytest.mark.ray
@pytest.mark.odd
def test_every_odd_file(files, test_data, tmp_path):
    """From the command line: it exits with 2, as some fail, and tells how many are damaged."""
    assert len(files) > 110
    source, out = listed(files, tmp_path)
    command = ("segment", source, out, "--set", "segmenter.short_side=64", "--json")
    began = time.monotonic()
    finished = vss(*command)
    print(f"{len(files)} files in {time.monotonic() - began:.0f} s")
    assert finished.returncode == 2, finished.stderr[-2000:]
    damaged = check(files, Path(out), test_data)
    spent = pq.read_table(Path(out) / "tables" / "clips.parquet", columns=["source", *STAGE_SECONDS]).to_pylist()
    by_file = Counter[str]()
    for row in spent:
        by_file[row["source"]] += sum(row[name] for name in STAGE_SECONDS)
    assert max(by_file.values()) < MOST_SECONDS, by_file.most_common(3)
    for name in files.keys() - FAILED.keys():
        assert BY_FFMPEG.get(name, plainly_decoded(files[name])) == decoded_by_ffmpeg(files[name]), name
    assert json.loads(finished.stdout)["clips_damaged"] == damaged > 10
    assert f"{damaged} clips are of damaged files" in " ".join(finished.stderr.split())
    assert json.loads(vss("status", out, "--json").stdout)["damaged"] == damaged
    assert json.loads(vss(*command).stdout)["clips_done"] == 0
