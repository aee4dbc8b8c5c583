"""Which packets of an H.264 byte stream hold the second field of a picture (ITU-T H.264, 7.3.2.1, 7.3.3, 7.4.1.2.4).

Broadcasts code interlaced pictures as two fields, and MPEG-TS gives each of them a packet of its own; the decoder
gives out one frame for both. MP4 and Matroska keep the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from av.packet import Packet
from av.video.stream import VideoStream

SLICE, IDR_SLICE, PARAMETERS = 1, 5, 7
HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
START_CODE = b"\0\0\1"


@dataclass(frozen=True)
class _Parameters:
    """What of a sequence parameter set it takes to read the head of a slice."""

    frame_num_bits: int
    separate_planes: bool
    only_frames: bool


@dataclass(frozen=True)
class _Field:
    frame_num: int
    bottom: bool


class FieldPairs:
    """Follows a stream packet by packet."""

    def __init__(self, stream: VideoStream) -> None:
        extra = stream.codec_context.extradata or START_CODE
        self.applies = stream.codec_context.name == "h264" and START_CODE in extra[:4]
        """Whether there can be second fields at all."""
        self._parameters: _Parameters | None = None
        self._unpaired: _Field | None = None
        if self.applies:
            self._read(extra)

    def is_second(self, packet: Packet) -> bool:
        """Whether this packet completes the picture that the one before began."""
        if not self.applies or (self._only_frames and not packet.is_keyframe):
            return False
        field = self._read(bytes(packet))
        before, self._unpaired = self._unpaired, field
        if field is None or before is None or field == before or field.frame_num != before.frame_num:
            return False
        self._unpaired = None
        return True

    @property
    def _only_frames(self) -> bool:
        return self._parameters is not None and self._parameters.only_frames

    def _read(self, data: bytes) -> _Field | None:
        """The field that the packet's first slice belongs to; None where it belongs to a frame."""
        for kind, unit in _units(data):
            if kind == PARAMETERS:
                self._parameters = _parameters(_Bits(unit[:256]))
            elif kind in (SLICE, IDR_SLICE) and self._parameters is not None:
                return _field(_Bits(unit[:32]), self._parameters)
        return None


class _Bits:
    """Reads a NAL unit's bits, without the bytes put in against false start codes."""

    def __init__(self, unit: bytes) -> None:
        payload = unit.replace(b"\0\0\3", b"\0\0") + bytes(8)
        self._value, self._left = int.from_bytes(payload, "big"), 8 * len(payload)

    def take(self, count: int) -> int:
        self._left = max(self._left - count, 0)
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """Unsigned Exp-Golomb code (9.1)."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of every NAL unit."""
    at = data.find(START_CODE)
    while 0 <= at < len(data) - 4:
        end = data.find(START_CODE, at + 3)
        yield data[at + 3] & 0x1F, data[at + 4 : end if end >= 0 else None]
        at = end


def _parameters(bits: _Bits) -> _Parameters:
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    separate_planes = False
    if profile in HIGH_PROFILES:
        chroma = bits.golomb()
        separate_planes = chroma == 3 and bool(bits.take(1))
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for number in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling_list(bits, 16 if number < 6 else 64)
    frame_num_bits = min(bits.golomb(), 12) + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.signed()
        for _ in range(min(bits.golomb(), 255)):
            bits.signed()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return _Parameters(frame_num_bits, separate_planes, only_frames=bool(bits.take(1)))


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = 8
    for _ in range(size):
        last = (last + bits.signed()) % 256
        if last == 0:
            return


def _field(bits: _Bits, parameters: _Parameters) -> _Field | None:
    if parameters.only_frames:
        return None
    for _ in range(3):
        bits.golomb()
    if parameters.separate_planes:
        bits.take(2)
    frame_num = bits.take(parameters.frame_num_bits)
    return _Field(frame_num, bool(bits.take(1))) if bits.take(1) else None
