"""Ids come back as they were stored, whatever the colors; PNGs as other programs write them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vss_ray.export.pictures import gray_png, palette_png
from vss_ray.media.png import png_ids

PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)


def packed_png(ids: np.ndarray, bits: int, color_type: int) -> bytes:
    """A PNG of less than 8 bits a pixel, by its specification; color type 3 is indexed, 0 gray."""
    height, width = ids.shape
    rows = np.unpackbits(ids[..., None], axis=2)[..., 8 - bits :].reshape(height, -1)
    lines = b"".join(b"\x00" + np.packbits(row).tobytes() for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    palette = chunk(b"PLTE", PALETTE[: 2**bits].tobytes()) if color_type == 3 else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + palette
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 70))))
def test_round_trip(ids):
    np.testing.assert_array_equal(png_ids(palette_png(ids, PALETTE)), ids)
    np.testing.assert_array_equal(png_ids(gray_png(ids)), ids)
    wide = ids.astype(np.uint16) * 257
    np.testing.assert_array_equal(png_ids(gray_png(wide)), wide)


@pytest.mark.parametrize(("bits", "color_type"), [(1, 3), (2, 3), (4, 3), (1, 0)])
@pytest.mark.parametrize("width", [1, 7, 8, 61])
def test_few_bits_a_pixel(bits, color_type, width):
    ids = np.random.default_rng(width).integers(0, 2**bits, (5, width)).astype(np.uint8)
    read = png_ids(packed_png(ids, bits, color_type))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, ids)


def test_colors_are_no_ids():
    with pytest.raises(ValueError, match="a PNG of rgb24; wanted an indexed or a gray one"):
        png_ids(cv2.imencode(".png", np.zeros((3, 3, 3), np.uint8))[1].tobytes())


@pytest.mark.parametrize("data", [b"", b"x", gray_png(np.zeros((9, 9), np.uint8))[:40], b"\xff\xd8\xff\xe0JFIF"])
def test_what_is_no_png_is_refused(data):
    with pytest.raises(ValueError, match="not a PNG that can be decoded"):
        png_ids(data)
