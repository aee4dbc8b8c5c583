"""Labels at full size are those of torch's bilinear interpolation and argmax, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vss_ray.ops.upsample import upsample_labels


def enlarged(scores, height, width):
    tensor = torch.from_numpy(scores.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(tensor, (height, width), mode="bilinear", align_corners=False)[0].numpy()


def smooth(rng, height, width, num_classes):
    """Regions with borders between them, as networks draw them: cells that agree beside cells that do not."""
    winner = np.kron(rng.integers(0, num_classes, (height // 3 + 1, width // 3 + 1)), np.ones((3, 3), int))
    scores = rng.integers(0, 100, (height, width, num_classes))
    scores[np.arange(height)[:, None], np.arange(width), winner[:height, :width]] += rng.integers(50, 157)
    return scores / 256


@settings(max_examples=80, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    num_classes=st.integers(1, 40),
    row_factor=st.sampled_from([1, 2, 4, 8, 32]),
    column_factor=st.sampled_from([1, 2, 4, 8, 32]),
    is_smooth=st.booleans(),
    seed=st.integers(0, 2**16),
)
@example(height=1, width=1, num_classes=1, row_factor=1, column_factor=1, is_smooth=False, seed=0)
@example(height=1, width=12, num_classes=3, row_factor=8, column_factor=8, is_smooth=True, seed=1)
def test_equals_torch_where_arithmetic_is_exact(height, width, num_classes, row_factor, column_factor, is_smooth, seed):
    rng = np.random.default_rng(seed)
    # Few levels make many ties.
    levels = int(rng.integers(2, 257))
    scores = rng.integers(0, levels, (height, width, num_classes)) / 256
    if is_smooth:
        scores = smooth(rng, height, width, num_classes)
    labels = upsample_labels(scores, height * row_factor, width * column_factor)
    assert labels.dtype == np.uint8
    # numpy's argmax takes the first of equals: the lower class.
    np.testing.assert_array_equal(labels, enlarged(scores, *labels.shape).argmax(0))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    num_classes=st.integers(2, 8),
    new_height=st.integers(1, 90),
    new_width=st.integers(1, 90),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 2**16),
)
def test_differs_from_torch_only_where_two_classes_are_equal(
    height, width, num_classes, new_height, new_width, dtype, seed
):
    scores = np.random.default_rng(seed).random((height, width, num_classes)).astype(dtype)
    labels = upsample_labels(scores, new_height, new_width)
    reference = enlarged(scores, new_height, new_width)
    second, first = np.sort(reference, 0)[-2:]
    differs = labels != reference.argmax(0)
    assert (first - second)[differs].max(initial=0) < 1e-5


@pytest.mark.parametrize(("num_classes", "dtype"), [(255, np.uint8), (256, np.uint16), (300, np.uint16)])
def test_many_classes(num_classes, dtype):
    scores = np.random.default_rng(0).integers(0, 257, (3, 5, num_classes)) / 256
    labels = upsample_labels(scores, 12, 20)
    assert labels.dtype == dtype
    np.testing.assert_array_equal(labels, enlarged(scores, 12, 20).argmax(0))


def test_equal_scores_go_to_the_lower_class():
    scores = np.zeros((3, 4, 5), np.float32)
    scores[..., 2] = scores[..., 3] = 0.5
    assert (upsample_labels(scores, 12, 16) == 2).all()
    scores[1, 1, 3] = 0.75  # cells whose corners disagree take the other path
    assert set(np.unique(upsample_labels(scores, 12, 16))) == {2, 3}
    assert upsample_labels(scores, 12, 16)[0, 0] == 2


def test_scores_may_lie_anywhere_in_memory():
    scores = np.random.default_rng(0).integers(0, 257, (4, 6, 8)) / 256
    contiguous = upsample_labels(scores[::2, :, ::2].copy(), 8, 12)
    np.testing.assert_array_equal(upsample_labels(scores[::2, :, ::2], 8, 12), contiguous)


def test_impossible_classes_lose():
    scores = np.random.default_rng(0).integers(0, 257, (4, 6, 20)) / 256
    scores[..., [0, 7, 19]] = -np.inf
    allowed = [i for i in range(20) if i not in (0, 7, 19)]
    np.testing.assert_array_equal(upsample_labels(scores, 4, 6), scores.argmax(2))
    large = upsample_labels(scores[..., allowed], 16, 24)
    np.testing.assert_array_equal(upsample_labels(scores, 16, 24), np.array(allowed)[large])


@pytest.mark.parametrize("channel", [0, 3])
def test_nan_is_refused(channel):
    scores = np.zeros((5, 6, 4), np.float32)
    scores[4, 5, channel] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        upsample_labels(scores, 20, 24)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(h, w, C\).*\(5, 6\)"):
        upsample_labels(np.zeros((5, 6), np.float32), 20, 24)
