"""Pictures of many clips in batches of one shape."""

from __future__ import annotations

import numpy as np
import pytest

from vss_ray.inference.every_picture import score
from vss_ray.labels.taxonomy import Taxonomy


class Colors:
    """A segmenter: the scores of a cell are its mean color. Remembers the shapes it was given."""

    taxonomy, stride = (
        Taxonomy("colors", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)), ((),) * 3),
        4,
    )

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def input_size(self, height, width):
        return height, width

    def __call__(self, pixels):
        self.seen.append(pixels.shape[:3])
        batch, height, width, _ = pixels.shape
        return pixels.reshape(batch, height // 4, 4, width // 4, 4, 3).mean((2, 4)).astype(np.float16)


def stack(count, height=32, width=64, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("batch", [1, 4])
def test_stacks_share_batches_that_are_always_full(batch):
    stacks = [stack(5), stack(2, 64, 32, seed=1), stack(4, seed=2), stack(1, 64, 32, seed=3)]
    segmenter = Colors()
    found = score(segmenter, stacks, batch)
    assert {shape[0] for shape in segmenter.seen} == {batch}
    assert len(segmenter.seen) == -(-9 // batch) + -(-3 // batch)
    for pixels, scores in zip(stacks, found, strict=True):
        np.testing.assert_array_equal(scores, Colors()(pixels))


def test_an_empty_stack_has_no_scores():
    empty, full = score(Colors(), [stack(0), stack(2)], 4)
    assert len(full) == 2
    (alone,) = score(Colors(), [stack(0)], 4)
    assert empty.shape == alone.shape == (0, 8, 16, 3)
    assert score(Colors(), [], 4) == []
