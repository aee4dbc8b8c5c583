"""Label videos of every codec, what the browser gets of them, and ids from a PNG."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import cv2
import numpy as np
import pyarrow as pa

from tests.fuzz.contract import Target
from tests.viewer.test_maskpack import unpacked
from vss_ray import plugins
from vss_ray.masks._matroska import LabelVideo, decode, decode_frame
from vss_ray.media.png import png_ids
from vss_ray.viewer.maskpack import pack

SHAPE = HEIGHT, WIDTH = 24, 33
FRAMES = 4
ROW = {"start": 0, "height": HEIGHT, "width": WIDTH}
WORDS = (
    *(b"V_FFV1", b"V_MPEG4/ISO/AVC", b"V_MS/VFW/FOURCC", b"A_PCM/INT/LIT", b"S_TEXT/UTF8", b"V_UNCOMPRESSED"),
    *(b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\xb0\x82\xff\xff", b"\xba\x84\x7f\xff\xff\xff", b"\xa3"),
    *(b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"acTL", b"fdAT", b"\x00\x00\x00\x01\x67", b"\x00\x00\x01\x65"),
)  # fmt: skip
"""Codecs and elements of Matroska, chunks of PNG, units of H.264."""


def _codec(name: str) -> LabelVideo:
    module = plugins.load("masks", name)
    return module.build(module.Config())


def _maps(dtype: type) -> list[np.ndarray]:
    ids = np.zeros((FRAMES, HEIGHT, WIDTH), dtype)
    for number, each in enumerate(ids):
        each[6 + number : 16, 4 : 9 + number] = np.iinfo(dtype).max - number
        each[:, 20:] = np.arange(HEIGHT)[:, None]
    return list(ids)


def _decode(data: bytes) -> None:
    for shape in (None, SHAPE):
        kinds = {(ids.shape, ids.dtype) for ids in decode(data, shape)}
        ((found, dtype),) = kinds
        assert found == (shape or found)
        assert dtype in (np.uint8, np.uint16)
        with suppress(IndexError):  # fewer packets than that are left
            ids = decode_frame(data, 2, shape)
            assert (ids.shape, ids.dtype) in kinds


def _pack(data: bytes) -> None:
    area = pa.FixedSizeListArray.from_arrays(np.linspace(0, 1, 2 * FRAMES, dtype=np.float32), 2)
    frames = pa.table({"pts_seconds": np.arange(FRAMES) / 25, "key_distance": np.arange(FRAMES), "area": area})
    header, _, maps = unpacked(pack(decode(data, SHAPE), frames, ROW))
    assert header["frames"] == len(maps) == FRAMES
    np.testing.assert_array_equal(maps, list(decode(data)))


def _png(data: bytes) -> None:
    ids = png_ids(data)
    assert ids.ndim == 2
    assert ids.dtype in (np.uint8, np.dtype(">u2"), np.dtype("<u2"))


def _videos(name: str, dtype: type = np.uint8) -> list[bytes]:
    return [_codec(name).encode(_maps(dtype))]


def _pngs() -> list[bytes]:
    return [cv2.imencode(".png", _maps(dtype)[0])[1].tobytes() for dtype in (np.uint8, np.uint16)]


TARGETS = (
    *(Target(name, _decode, partial(_videos, name), words=WORDS, is_guided=True) for name in plugins.names("masks")),
    Target("deep", _decode, partial(_videos, "ffv1", np.uint16), words=WORDS, is_guided=True),
    Target("maskpack", _pack, partial(_videos, "ffv1"), words=WORDS),
    Target("png", _png, _pngs, refusals=(ValueError,), words=WORDS, is_guided=True),
)
