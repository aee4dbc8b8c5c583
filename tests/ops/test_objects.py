"""Objects per class are the components that OpenCV finds, class by class."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.ops.objects import SMALLEST, count_objects, thinned


def components(ids, num_classes):
    """Class by class."""
    samples = thinned(ids)
    counts = []
    for i in range(num_classes):
        *_, stats, _ = cv2.connectedComponentsWithStats((samples == i).astype(np.uint8), connectivity=8)
        counts.append(int((stats[1:, cv2.CC_STAT_AREA] >= SMALLEST * samples.size).sum()))
    return counts


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    grain=st.integers(1, 12),
    num_classes=st.integers(1, 5),
    is_wide=st.booleans(),
    seed=st.integers(0, 999),
)
def test_equals_opencv(height, width, grain, num_classes, is_wide, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, num_classes + 1, (-(-height // grain), -(-width // grain)))
    ids = np.kron(coarse, np.ones((grain, grain), int))[:height, :width]
    ids[rng.random(ids.shape) < 0.1] = 65535 if is_wide else 255
    ids: Any = ids.astype(np.uint16 if is_wide else np.uint8)
    counts = count_objects(ids, num_classes)
    assert counts.dtype == np.uint16
    assert counts.tolist() == components(ids, num_classes)


def test_a_spiral_and_a_comb_are_one_object_each():
    spiral = np.full((41, 41), 255, np.uint8)
    for ring in range(0, 20, 4):
        spiral[ring, ring : 41 - ring] = 0
        spiral[ring : 41 - ring, 40 - ring] = 0
        spiral[40 - ring, ring : 41 - ring] = 0
        spiral[ring + 4 : 41 - ring, ring] = 0
        spiral[ring + 4, ring : ring + 5] = 0
    assert count_objects(spiral, 1).tolist() == components(spiral, 1) == [1]
    comb = np.full((40, 41), 255, np.uint8)
    comb[:, ::2] = 0
    comb[39] = 0
    assert count_objects(comb, 1).tolist() == [1]


def test_large_pictures_are_thinned_and_specks_left_out():
    ids = np.full((720, 1280), 255, np.uint8)
    for left in range(0, 1200, 100):
        ids[100:160, left : left + 60] = 3
    ids[400:410, 400:410] = 3  # 100 pixels, less than 0.05 % of the picture
    ids[:, 1279] = 2
    assert thinned(ids).shape == (180, 320)
    assert count_objects(ids, 5).tolist() == [0, 0, 0, 12, 0]
