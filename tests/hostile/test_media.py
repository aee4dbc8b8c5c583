"""Files that are not what their names say: nothing but the file itself is opened, and nothing large is unpacked."""

from __future__ import annotations

import io
import os
import resource
import socket
import struct
import threading
import wave
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import fsspec
import numpy as np
import pytest

from vss_ray.errors import VideoError, VssError
from vss_ray.lookup.picture import read_picture
from vss_ray.masks._matroska import decode as decode_masks
from vss_ray.media.archive import ArchiveEntry, list_videos
from vss_ray.media.container import open_video
from vss_ray.media.formats import WHITELIST
from vss_ray.media.png import png_ids
from vss_ray.media.probe import probe

LEADS_AWAY = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
    "metadata": ";FFMETADATA1\ntitle={target}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period><AdaptationSet><Representation id="1">'
    "<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "real": "rtsp://127.0.0.1:{port}/x\n",
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Id>{target}</Id></CompositionPlaylist>',
}


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who called there."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                try:
                    connection, caller = server.accept()
                except TimeoutError:
                    continue
                calls.append(caller)
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield server.getsockname()[1], calls
        over.set()
        thread.join()


@pytest.mark.parametrize("name", ["film.mp4", "film.m3u8", "film.ts", "film"])
@pytest.mark.parametrize("kind", LEADS_AWAY)
def test_nothing_but_the_file_itself_is_opened(kind: str, name: str, video: Path, tmp_path, listener, refusal) -> None:
    port, calls = listener
    for target in (str(video), f"file://{video}", f"http://127.0.0.1:{port}/x.mp4"):
        path = tmp_path / name
        path.write_text(LEADS_AWAY[kind].format(target=target, port=port))
        for url in (str(path), f"memory://{name}"):
            with fsspec.open(f"memory://{name}", "wb") as file:
                file.write(path.read_bytes())  # type: ignore[attr-defined]
            entry = ArchiveEntry(relative_path=name, url=url, size_bytes=path.stat().st_size)
            said = refusal(VideoError, probe, entry)
            assert "cannot be read as video" in said or "is a playlist, a script or another kind" in said
    assert not calls


@pytest.mark.parametrize("address", ["concat:{0}|{0}", "subfile,,start,0,end,0,,:{0}", "pipe:0", "cache:{0}"])
def test_what_a_plan_calls_a_path_is_no_address_of_ffmpeg(address: str, video: Path) -> None:
    with pytest.raises(VssError), open_video(address.format(video)):
        pass


def test_formats_that_lead_to_other_files_are_not_on_the_list() -> None:
    allowed = set(WHITELIST.split(","))
    away = (
        "hls dash concat concatf sdp rtsp sap image2 image2pipe imf ffmetadata svg_pipe vobsub webm_dash_manifest lavfi"
    )
    assert not allowed & set(away.split())


def test_sound_alone_is_still_told_as_what_it_is(tmp_path, refusal) -> None:
    assert {"aac", "flac", "mp3", "ogg", "wav"} <= set(WHITELIST.split(","))
    with wave.open(str(tmp_path / "sound.mp4"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    assert "has no video stream, only audio" in refusal(VideoError, probe, list_videos(str(tmp_path))[0])


def jpeg_that_claims(height: int, width: int) -> bytes:
    """A picture of a kilobyte that says it is larger."""
    data = bytearray(cv2.imencode(".jpg", np.zeros((96, 160, 3), np.uint8))[1].tobytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def test_a_small_frame_that_claims_to_be_huge(tmp_path, refusal) -> None:
    """The header of the file says 160x96."""
    for suffix in ("avi", "mkv", "mov"):
        path = tmp_path / f"claims.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
            for number in range(3):
                packet = av.Packet(jpeg_that_claims(15_000, 15_000))
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
                container.mux(packet)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert "none of its 3 packets decodes" in refusal(VideoError, probe, list_videos(str(path))[0])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kB"
    (tmp_path / "claims.jpg").write_bytes(jpeg_that_claims(15_000, 15_000))
    assert "no picture can be read of it" in refusal(VideoError, read_picture, str(tmp_path / "claims.jpg"))


def test_a_label_picture_or_video_that_claims_to_be_huge(tmp_path, refusal) -> None:
    head = struct.pack(">IIBBBBB", 15_000, 15_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    assert "not a PNG" in refusal(ValueError, png_ids, b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    other = io.BytesIO()
    with av.open(other, "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        packet = av.Packet(jpeg_that_claims(15_000, 15_000))
        packet.stream, packet.pts, packet.dts = stream, 0, 0
        container.mux(packet)
    assert "is not one of ffv1 or h264" in refusal(VideoError, lambda: list(decode_masks(other.getvalue())))


def test_a_name_that_is_a_pattern_is_a_name(video: Path, tmp_path) -> None:
    for name in ("a%03d.mp4", "a*?{1}.mp4", "concat:a|b.mp4", "-i.mp4", "file:x.mp4"):
        path = tmp_path / name
        path.write_bytes(video.read_bytes())
        [entry] = list_videos(str(path))
        assert probe(entry).num_frames == 20
    picture = tmp_path / "a%03d*.jpg"
    picture.write_bytes(cv2.imencode(".jpg", np.zeros((96, 160, 3), np.uint8))[1].tobytes())
    assert read_picture(str(picture)).size == (96, 160)


def test_a_pipe_or_a_device_is_no_file(tmp_path, refusal) -> None:
    os.mkfifo(tmp_path / "endless.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    said = refusal(VideoError, list_videos, str(tmp_path))
    assert "holds no video" in said
