"""Items in batches of one size, whatever their number and their shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vss_ray.inference.batches import in_batches

CPU = torch.device("cpu")


class Counting:
    """A graph of two inputs and two outputs; remembers the shapes it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one, two = inputs
        self.seen.append(tuple(one.shape))
        return one.float() + two[:, :1, None], two.sum(1)


def items(count, size=(4, 6), seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.integers(0, 256, size, np.uint8), torch.from_numpy(rng.random((size[1],), np.float32)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("batch", [1, 3, 4, 16])
def test_an_item_gets_what_it_gets_alone(batch):
    mine = items(7)
    graph = Counting()
    together = in_batches(graph, mine, batch, CPU)
    assert {shape[0] for shape in graph.seen} == {batch}
    assert len(graph.seen) == -(-7 // batch)
    for item, found in zip(mine, together, strict=True):
        (alone,) = in_batches(Counting(), [item], batch, CPU)
        for one, two in zip(found, alone, strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=0)
        torch.testing.assert_close(found[0], torch.from_numpy(item[0]).float() + item[1][0])


def test_only_items_of_one_shape_share_a_batch_and_order_stays():
    mine = items(5)
    others = items(4, size=(2, 8), seed=1)
    mixed = [mine[0], others[0], others[1], mine[1], mine[2], others[2], mine[3], mine[4], others[3]]
    graph = Counting()
    for item, (first, second) in zip(mixed, in_batches(graph, mixed, 3, CPU), strict=True):
        torch.testing.assert_close(first, torch.from_numpy(item[0]).float() + item[1][0])
        torch.testing.assert_close(second, item[1].sum())
    assert sorted(graph.seen) == [(3, 2, 8)] * 2 + [(3, 4, 6)] * 2


def test_nothing_to_do():
    graph = Counting()
    assert in_batches(graph, [], 4, CPU) == []
    assert graph.seen == []


def test_pictures_of_the_object_store_are_read_only_and_may_be_views():
    picture = np.arange(48, dtype=np.uint8).reshape(2, 4, 6)[1, ::2]
    picture.flags.writeable = False
    ((first, _),) = in_batches(Counting(), [(picture, torch.zeros(6))], 1, CPU)
    np.testing.assert_array_equal(first.numpy(), picture)
