"""Ids from a PNG: the indices of an indexed picture, the values of a gray one."""

from __future__ import annotations

import io
from typing import cast

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from vss_ray.media.limits import Limits

OPTIONS = {"max_pixels": str(Limits().pixels)}
Ids = NDArray[np.uint8] | NDArray[np.uint16]


def png_ids(data: bytes) -> Ids:
    """(H, W) ids. OpenCV would give the colors of an indexed picture; the decoder of PyAV gives what is stored.

    Raises:
        ValueError: It is not a PNG, or one of colors.
    """
    try:
        with av.open(io.BytesIO(data), "r", format="png_pipe", options=OPTIONS) as container:
            picture = next(container.decode(video=0))
    except (FFmpegError, StopIteration) as error:
        raise ValueError("not a PNG that can be decoded") from error
    match picture.format.name:
        case "pal8":
            return picture.to_ndarray()[0]
        case "gray" | "gray16be":
            return cast("Ids", picture.to_ndarray())
        case "monob":  # one bit a pixel, rows padded to whole bytes and more
            rows = np.frombuffer(memoryview(picture.planes[0]), np.uint8).reshape(picture.height, -1)
            return np.unpackbits(rows, axis=1)[:, : picture.width]
        case other:
            raise ValueError(f"a PNG of {other}; wanted an indexed or a gray one, whose values are ids")
