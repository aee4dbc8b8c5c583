"""The store on real label maps."""

from __future__ import annotations

import cv2
import numpy as np

from vss_ray.datasets import camvid
from vss_ray.masks import ffv1


def test_real_labels_are_exact_and_smaller_than_png(test_data):
    labels = [still.labels() for still in camvid.stills(test_data / "camvid", "val")[:12]]
    codec = ffv1.build(ffv1.Config())
    data = codec.encode(labels)
    np.testing.assert_array_equal(list(codec.decode(data)), labels)
    pngs = sum(cv2.imencode(".png", ids, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].size for ids in labels)
    assert len(data) < 0.7 * pngs


def test_other_readers_see_the_same_classes(tmp_path):
    labels = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
    path = tmp_path / "clip.mkv"
    path.write_bytes(ffv1.build(ffv1.Config()).encode([labels]))
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    _, picture = capture.read()
    np.testing.assert_array_equal(picture.reshape(32, -1)[:, :256], labels)
