"""Pictures and label maps as bytes of PNG and JPEG; the same picture always gives the same bytes."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import VssError
from vss_ray.labels.taxonomy import voc_color
from vss_ray.masks._matroska import LabelMap

QUALITY = 95
"""Of JPEG, 4:2:0: about 0.2 bytes a pixel of a dash-cam."""
RUNS = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
"""For label maps, which are runs and nothing else: 5.2 kB at 960x540 in 2.8 ms, where level 6 takes 3.7 for 5.6 kB."""
CAMERA = [cv2.IMWRITE_PNG_COMPRESSION, 1]
HEADER = 33
"""Bytes of a PNG's signature and its first chunk; the color type is the 26th."""


def gray_png(ids: LabelMap) -> bytes:
    """A label map as a gray picture of 8 or 16 bits whose values are the ids."""
    return _encoded(".png", ids, RUNS)


def palette_png(ids: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A label map as a picture of indexed colors: programs read the ids, people see the colors.

    Args:
        ids: (H, W).
        palette: (256, 3) RGB.
    """
    # An indexed picture is a gray one whose header says so and that has a palette behind it.
    gray = gray_png(ids)
    header = gray[8 + 8 : HEADER - 4]
    indexed = header[:9] + b"\x03" + header[10:]
    return gray[:8] + _chunk(b"IHDR", indexed) + _chunk(b"PLTE", palette.tobytes()) + gray[HEADER:]


def object_palette() -> NDArray[np.uint8]:
    """(256, 3) RGB, by the rule of PASCAL VOC, as DAVIS has it: no object is black."""
    return np.array([voc_color(index) for index in range(256)], np.uint8)


def rgb_png(image: NDArray[np.uint8], areas: bool = False) -> bytes:
    """An (H, W, 3) RGB picture, lossless; ``areas`` where it consists of some, each in one color."""
    return _encoded(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), RUNS if areas else CAMERA)


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """An (H, W, 3) RGB picture, nearly lossless."""
    return _encoded(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _encoded(suffix: str, array: NDArray, options: list[int]) -> bytes:
    written, data = cv2.imencode(suffix, array, options)
    if not written:
        raise VssError(f"a picture could not be encoded as {suffix}; OpenCV was built without it")
    return data.tobytes()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
