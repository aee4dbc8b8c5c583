"""The store on real label maps, and what other readers make of it."""

from __future__ import annotations

import io

import av
import cv2
import numpy as np
import pytest

from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError
from vss_ray.masks import ffv1, h264
from vss_ray.masks._matroska import LabelVideo
from vss_ray.ops.upsample import upsample_labels


def as_a_network_draws_them(ids):
    """Labels passed through scores at a quarter of the size, enlarged twice."""
    height, width = ids.shape
    scores = [
        cv2.resize((ids == i).astype(np.float32), (width // 4, height // 4), interpolation=cv2.INTER_AREA)
        for i in range(11)
    ]
    return upsample_labels(np.stack(scores, -1), height * 2, width * 2)


def test_maps_of_a_network_are_exact_and_half_of_png(test_data):
    labels = [as_a_network_draws_them(still.labels()) for still in camvid.stills(test_data / "camvid", "val")[:12]]
    codec = h264.build(h264.Config())
    data = codec.encode(labels)
    np.testing.assert_array_equal(list(codec.decode(data)), labels)
    pngs = sum(cv2.imencode(".png", ids, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].size for ids in labels)
    assert len(data) < 0.5 * pngs
    assert len(data) < len(ffv1.build(ffv1.Config()).encode(labels))


def test_converting_to_gray_keeps_the_classes_too():
    labels = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
    with av.open(io.BytesIO(h264.build(h264.Config()).encode([labels])), "r") as container:
        picture = next(container.decode(video=0))
        np.testing.assert_array_equal(picture.to_ndarray(format="gray"), labels)


def test_an_ffmpeg_without_the_encoder_is_refused():
    with pytest.raises(ConfigError, match="no such_one; set masks to another codec"):
        LabelVideo(encoder="such_one", options={}, keyframe_every=1).writer(4, 6, 3)
