"""Interlaced H.264 whose fields come in packets of their own: one frame for two packets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

WIDTH, HEIGHT = 2, 2
"""In macroblocks."""
GROUP = 10


class Writer:
    """Bits of a NAL unit (ITU-T H.264, 7.3.1)."""

    def __init__(self) -> None:
        self._bits = ""

    def bits(self, *pairs: tuple[int, int]) -> Writer:
        self._bits += "".join(f"{value:0{count}b}" for count, value in pairs)
        return self

    def golomb(self, *values: int) -> Writer:
        for value in values:
            code = f"{value + 1:b}"
            self._bits += "0" * (len(code) - 1) + code
        return self

    def raw(self, data: bytes) -> Writer:
        self._bits += "0" * (-len(self._bits) % 8) + "".join(f"{byte:08b}" for byte in data)
        return self

    def unit(self, kind: int) -> bytes:
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        payload = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
        for byte in range(4):
            payload = payload.replace(bytes([0, 0, byte]), bytes([0, 0, 3, byte]))
        return b"\0\0\0\1" + bytes([3 << 5 | kind]) + payload


def parameter_sets() -> bytes:
    sequence = Writer().bits((8, 77), (8, 0), (8, 30)).golomb(0, 0, 0, 4, 1).bits((1, 0))
    sequence.golomb(WIDTH - 1, HEIGHT // 2 - 1).bits((1, 0), (1, 0), (1, 1), (1, 0), (1, 0))
    picture = Writer().golomb(0, 0).bits((1, 0), (1, 0)).golomb(0, 0, 0).bits((1, 0), (2, 0)).golomb(0, 0, 0)
    return sequence.unit(7) + picture.bits((1, 1), (1, 0), (1, 0)).unit(8)


def field(number: int, bottom: int) -> bytes:
    """An intra field of raw samples (I_PCM), as bright as the frame's number says."""
    refresh = number % GROUP == 0 and not bottom
    place = number % GROUP
    head = Writer().golomb(0, 7, 0).bits((4, place), (1, 1), (1, bottom))
    if refresh:
        head.golomb(0)
    head.bits((8, 2 * place + bottom)).bits(*(((1, 0), (1, 0)) if refresh else ((1, 0),))).golomb(0, 1)
    for _ in range(WIDTH * HEIGHT // 2):
        head.golomb(25).raw(bytes([20 + 3 * number]) * 256 + bytes([128]) * 128)
    return (parameter_sets() if refresh else b"") + head.unit(5 if refresh else 1)


def write(path: Path, *, own_times: bool) -> Path:
    """40 frames as two fields each, in one PES packet, or in one of its own for each field."""
    raw = path.with_suffix(".h264")
    raw.write_bytes(b"".join(field(number, bottom) for number in range(40) for bottom in (0, 1)))
    with av.open(str(raw), "r") as source, av.open(str(path), "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        delimiter = b"\0\0\0\1\x09\xf0"
        for number in range(40):
            fields = [field(number, bottom) for bottom in (0, 1)]
            parts = [delimiter + part for part in fields] if own_times else [delimiter + b"".join(fields)]
            for place, part in enumerate(parts):
                packet = av.Packet(part)
                packet.pts = packet.dts = 2 * number + place
                packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 50), stream, number % GROUP == 0
                file.mux(packet)
    return path


@pytest.mark.parametrize("own_times", [False, True])
def test_two_fields_are_one_frame(own_times: bool, tmp_path: Path, linear, in_clips) -> None:
    path = write(tmp_path / "fields.ts", own_times=own_times)
    for file in (path, path.with_suffix(".h264")):
        got = in_clips(file)
        assert got.video.num_frames == len(got.checksums) == 40
        assert len(set(got.checksums)) == 40
        assert got.checksums == linear(file)
    assert len(in_clips(path).clips) > 1
