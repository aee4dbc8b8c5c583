"""Run-length encodings against pycocotools, segments against their definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as oracle

from vss_ray.export.rle import coco_counts, cvat_counts
from vss_ray.export.segments import segments

IDS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(IDS)
def test_segments_share_out_the_picture_and_encode_as_pycocotools(ids):
    height, width = ids.shape
    seen = np.zeros(ids.shape, int)
    for segment in segments(ids, num_classes=3, things={1, 2}):
        assert segment.mask.any(0)[[0, -1]].all()
        assert segment.mask.any(1)[[0, -1]].all()
        whole = np.zeros(ids.shape, np.uint8)
        whole[segment.place][segment.mask] = 1
        assert (ids[whole == 1] == segment.index).all()
        seen += whole
        encoded = oracle.encode(np.asfortranarray(whole))
        assert coco_counts(segment, height, width) == encoded["counts"].decode()
        assert segment.area == oracle.area(encoded)
        assert segment.box == oracle.toBbox(encoded).tolist()
        runs = cvat_counts(segment)
        np.testing.assert_array_equal(np.repeat(np.arange(len(runs)) % 2, runs), segment.mask.ravel())
    np.testing.assert_array_equal(seen, ids < 3)


def test_objects_are_connected_over_corners():
    ids = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], np.uint8)
    found = list(segments(ids, num_classes=2, things={1}))
    assert [(each.index, each.area, each.box) for each in found] == [
        (0, 8, [0, 0, 4, 3]),
        (1, 2, [0, 0, 2, 2]),
        (1, 1, [3, 0, 1, 1]),
        (1, 1, [3, 2, 1, 1]),
    ]


def test_large_pictures_need_long_counts():
    ids = np.zeros((1080, 1920), np.uint8)
    ids[500:502, 1000:1500] = 1
    (whole, part) = segments(ids, num_classes=2, things={1})
    for segment, value in ((whole, 0), (part, 1)):
        encoded = oracle.encode(np.asfortranarray(ids == value).astype(np.uint8))
        assert coco_counts(segment, *ids.shape) == encoded["counts"].decode()
