"""Label videos that somebody or something has changed are refused by what is wrong with them."""

from __future__ import annotations

import io
import re

import av
import numpy as np
import pyarrow as pa
import pytest

from vss_ray.errors import VideoError
from vss_ray.masks import ffv1, h264
from vss_ray.masks._matroska import decode, decode_frame
from vss_ray.viewer.maskpack import pack

SHAPE = HEIGHT, WIDTH = 300, 301


@pytest.fixture(scope="module")
def video():
    return ffv1.build(ffv1.Config()).encode([np.full(SHAPE, index, np.uint8) for index in range(3)])


def refused(data: bytes, shape: tuple[int, int] | None = None) -> str:
    with pytest.raises(VideoError, match="delete the clip's commit record") as caught:
        list(decode(data, shape))
    with pytest.raises(VideoError, match=re.escape(str(caught.value))):
        decode_frame(data, 0, shape)
    return str(caught.value)


def test_the_size_that_is_known_is_the_size(video):
    assert [ids.shape for ids in decode(video, SHAPE)] == [SHAPE] * 3
    assert (decode_frame(video, 2, SHAPE) == 2).all()
    assert "has a map of 301x300, wanted 300x300" in refused(video, (300, 300))


@pytest.mark.parametrize("codec", [ffv1, h264])
def test_larger_maps_than_that_take_no_memory(codec):
    data = codec.build(codec.Config()).encode([np.zeros((2048, 2048), np.uint8)])
    assert next(decode(data)).shape == (2048, 2048)
    assert "cannot be decoded" in refused(data, SHAPE)  # by the decoder, where it would take it


def test_a_codec_that_nobody_knows(video):
    assert "not one of ffv1 or h264" in refused(video.replace(b"FFV1", b"FFVX"))


def test_text_that_is_none_does_not_matter(video):
    assert b"Lavf" in video
    assert len(list(decode(video.replace(b"Lavf", b"\xff\xfe\x80\x80")))) == 3


def test_colors_are_no_labels():
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        container.mux(stream.encode(None))
    assert "has pixels of bgr0, wanted gray ones" in refused(file.getvalue())


def test_a_file_that_ends_before_its_first_frame(video):
    before = video[: video.index(b"\x1f\x43\xb6\x75")]
    with pytest.raises(VideoError):
        list(decode(before))


def test_masks_and_rows_that_differ_in_number(video):
    area = pa.FixedSizeListArray.from_arrays(np.zeros(4, np.float32), 2)
    frames = pa.table({"pts_seconds": [0.0, 0.1], "key_distance": [0, 1], "area": area})
    with pytest.raises(VideoError, match="label video of 3 frames, its record has 2"):
        pack(decode(video), frames, {"start": 0, "height": HEIGHT, "width": WIDTH})
