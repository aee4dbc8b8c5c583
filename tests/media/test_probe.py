"""What packets tell of a video, and the sentence that a user reads where they tell nothing."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vss_ray.clips import Video
from vss_ray.errors import StorageError, VideoError
from vss_ray.frames import Frame
from vss_ray.media import container, timeline
from vss_ray.media.archive import ArchiveEntry, list_videos
from vss_ray.media.decode import decode
from vss_ray.media.probe import probe
from vss_ray.media.timeline import Unit
from vss_ray.media.write import write_video
from vss_ray.plan import plan_clips

OPEN = {"preset": "veryfast", "bf": "3", "x264-params": "scenecut=0:open-gop=1"}


def probed(path: Path) -> Video:
    [entry] = list_videos(str(path))
    return probe(entry)


def test_the_values_of_a_plain_file(footage) -> None:
    path = footage("plain.mp4", options=OPEN, gop=20, fps=Fraction(30000, 1001))
    video = probed(path)
    assert video.source == str(path)
    assert video.size_bytes == path.stat().st_size
    assert video.video_id.startswith("plain-")
    assert (video.width, video.height, video.rotation, video.codec) == (160, 96, 0, "h264")
    assert video.num_frames == len(video.pts) == 60
    assert video.duration_seconds == pytest.approx(60 * 1001 / 30000, abs=1e-3)
    assert len(video.codec_keyframes) == 3
    assert sorted(video.packets) == list(range(60))
    assert list(video.packets) != sorted(video.packets)
    assert np.diff(np.array(video.pts) * video.time_base) == pytest.approx(1001 / 30000, abs=1e-3)


def test_numbers_of_codec_keyframes_are_those_of_decoded_ones(footage) -> None:
    path = footage("plain.mkv", options=OPEN, gop=20)
    with container.open_video(str(path)) as (file, _):
        keyframes = [number for number, picture in enumerate(file.decode(video=0)) if picture.key_frame]
    assert list(probed(path).codec_keyframes) == keyframes


CORNERS = {0: "top left", 90: "bottom left", -90: "top right", 180: "bottom right"}


@pytest.mark.parametrize("degrees", CORNERS)
def test_rotation_brings_the_picture_upright(degrees, tmp_path) -> None:
    """The red corner is stored top left; turning counter-clockwise by 90 degrees takes it to the bottom left."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :32, 0] = 255
    path = tmp_path / "turned.mp4"
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = 96, 64, "yuv420p", 1
        stream.set_display_rotation(degrees)
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode(None))
    check_red_corner(path, degrees)


def test_rotation_as_phones_write_it(tmp_path) -> None:
    """ISO/IEC 14496-12, 8.3.2: (x, y) goes to (a x + c y, b x + d y); a=0 b=1 c=-1 d=0 turns clockwise."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :32, 0] = 255
    path = tmp_path / "phone.mp4"
    write_video(path, [image] * 3)
    stored = path.read_bytes()
    at = stored.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    one, zero = (1 << 16).to_bytes(4, "big"), bytes(4)
    minus = (-(1 << 16)).to_bytes(4, "big", signed=True)
    matrix = zero + one + zero + minus + zero + zero + zero + zero + (1 << 30).to_bytes(4, "big")
    path.write_bytes(stored[:at] + matrix + stored[at + 36 :])
    check_red_corner(path, -90)


def check_red_corner(path: Path, degrees: int) -> None:
    video = probed(path)
    assert video.rotation == degrees % 360
    assert (video.width, video.height) == ((64, 96) if degrees in (90, -90) else (96, 64))
    frame: Frame = next(decode(plan_clips(video)[0]))
    assert frame.size == (video.height, video.width)
    upright = frame.rgb(video.height, video.width)
    red = {
        f"{vertical} {horizontal}"
        for vertical, y in (("top", 8), ("bottom", -8))
        for horizontal, x in (("left", 8), ("right", -8))
        if upright[y, x, 0] > 128
    }
    assert red == {CORNERS[degrees]}


def test_real_rotation(test_data: Path) -> None:
    video = probed(test_data / "odd" / "torchcodec" / "nasa_13013_rotated.mp4")
    assert (video.rotation, video.width, video.height) == (90, 270, 480)


def test_the_largest_video_stream_is_taken_and_the_default_one_of_equals(tmp_path, moving) -> None:
    path = tmp_path / "three.mkv"
    with av.open(path, "w") as file:
        streams = []
        for width in (64, 128, 128):
            stream = file.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = width, 64, "yuv420p", 1
            streams.append(stream)
        streams[0].disposition = streams[2].disposition = container.Disposition.default
        for stream in streams:
            for image in moving(3, 64, stream.width):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            file.mux(stream.encode(None))
    with container.open_video(str(path)) as (_, stream):
        assert (stream.index, stream.width) == (2, 128)


def test_vp8_frames_that_are_not_shown_do_not_count(footage, remux, tmp_path, in_clips, linear) -> None:
    path = remux(
        footage("plain.webm", codec="libvpx", options={"cpu-used": "8", "deadline": "realtime"}),
        tmp_path / "hidden.webm",
        lambda number, data: bytes([data[0] & ~0x10]) + data[1:] if number in (5, 17, 40) else data,
    )
    got = in_clips(path)
    assert got.video.num_frames == 57
    assert got.checksums == linear(path)


def test_mpeg4_pictures_that_repeat_the_one_before_do_not_count(footage, remux, tmp_path, in_clips) -> None:
    """P picture, no modulo time, increment 0 of 5 bits, vop_coded = 0 (ISO/IEC 14496-2, 6.2.5), as cameras write it."""
    held = b"\0\0\1\xb6" + int("0101000001001111", 2).to_bytes(2, "big")
    source = footage("large.mp4", codec="mpeg4", size=(144, 176))
    path = remux(source, tmp_path / "held.mp4", lambda number, data: held if number % 12 > 9 else data)
    got = in_clips(path)
    assert got.video.num_frames == len(got.checksums) == 50


def test_streams_that_are_announced_late(tmp_path, moving) -> None:
    """PyAV raises IndexError at the end of such a transport stream; broadcasts are like this."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 96, 160, 3), np.uint8)
    path = tmp_path / "late.ts"
    with path.open("wb") as file:
        for first, count, with_sound in ((0, 300, False), (300, 5, True), (305, 50, False)):
            file.write(transport_stream(tmp_path, noise, first, count, with_sound))
    video = probed(path)
    assert video.num_frames == 355
    assert sum(1 for clip in plan_clips(video) for _ in decode(clip)) == 355


def transport_stream(folder: Path, images: np.ndarray, first: int, count: int, with_sound: bool) -> bytes:
    path = folder / "part.ts"
    with av.open(path, "w") as file:
        stream = file.add_stream("mpeg2video", rate=25, options={"qmin": "1", "b": "40M"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = 160, 96, "yuv420p", 1
        sound = file.add_stream("mp2", rate=48000) if with_sound else None
        for number in range(first, first + count):
            picture = av.VideoFrame.from_ndarray(images[number % len(images)], format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(picture))
            if sound is not None:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="mono")
                silence.sample_rate, silence.pts, silence.time_base = 48000, 1920 * number, Fraction(1, 48000)
                file.mux(sound.encode(silence))
        file.mux(stream.encode(None))
    return path.read_bytes()


def test_what_is_no_video(tmp_path, footage) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    whole = footage("plain.mp4", options=OPEN, gop=20, fps=Fraction(30000, 1001)).read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "unknown_codec.mp4").write_bytes(whole.replace(b"avc1", b"zzzz"))
    with av.open(tmp_path / "sound.mp4", "w") as file:
        stream = file.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        file.mux(stream.encode(silence))
        file.mux(stream.encode(None))
    sentences = {
        "empty.mp4": r"is empty \(0 bytes\)",
        "text.mp4": "cannot be read as video",
        "no_index.mp4": "cannot be read as video",
        "unknown_codec.mp4": "no decoder for its video",
        "sound.mp4": "no video stream, only audio",
    }
    for name, sentence in sentences.items():
        with pytest.raises(VideoError, match=f"{name}: .*{sentence}"):
            probed(tmp_path / name)
    gone = ArchiveEntry(relative_path="gone.mp4", url=str(tmp_path / "gone.mp4"), size_bytes=1)
    with pytest.raises(StorageError, match="does not exist"):
        probe(gone)


def test_odd_files_that_are_refused(test_data: Path) -> None:
    refused = {
        "fate/h264_mov-3elist-encrypted.mp4": "encrypted",
        "fate/h264_mov-frag-encrypted.mp4": "encrypted",
        "fate/wmv3_wmv_drm.wmv": "encrypted",
        "torchcodec/nasa_13013.mp4.audio.mp3": "no video stream, only audio",
    }
    for name, sentence in refused.items():
        with pytest.raises(VideoError, match=sentence):
            probed(test_data / "odd" / name)


def units(*times: int | None, keys: tuple[int, ...] = (0,), **changes: bool) -> list[Unit]:
    return [Unit(pts, number, 1, number in keys, True, False)._replace(**changes) for number, pts in enumerate(times)]


def test_order_of_presentation() -> None:
    ordered = units(0, 3, 1, 2, 6, 4, 5)
    assert timeline.by_time(ordered, timeline.shown(ordered)) == (0, 2, 3, 1, 5, 6, 4)


@pytest.mark.parametrize("times", [(0, None, 2), (0, 1, 1), tuple(range(50)) * 2, (*range(20, 60), *range(20))])
def test_times_that_do_not_tell_the_order(times) -> None:
    assert timeline.by_time(units(*times), range(len(times))) == ()


def test_order_of_decoding_that_runs_back() -> None:
    joined = [unit._replace(dts=dts) for unit, dts in zip(units(0, 2, 4, 1, 3, 5), (0, 2, 4, 1, 3, 5), strict=True)]
    assert timeline.by_time(joined, range(6)) == ()


def test_what_cannot_be_shown_at_the_beginning_and_the_end() -> None:
    started_late = units(1, 2, 8, 6, 7, 9, 10, keys=(2,))
    assert timeline.shown(started_late) == [2, 5, 6]
    cut = [*units(0, 1, 2), Unit(3, 3, 1, False, True, True)]
    assert timeline.shown(cut) == [0, 1, 2, 3], "what of it can be decoded is shown, and told as damage"
    assert timeline.shown([]) == []


def test_a_keyframe_that_a_frame_overtakes_is_no_place_to_start() -> None:
    times = units(0, 4, 2, 5, 6, keys=(0, 2, 3))
    assert timeline.codec_keyframes(times, timeline.by_time(times, range(5))) == (0, 3)
