"""A graph over any number of items, in batches of one fixed size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vss_ray.engines import Graph


def in_batches(
    graph: Graph, items: Sequence[Sequence[Tensor | NDArray]], batch: int, device: torch.device
) -> list[tuple[Tensor, ...]]:
    """Outputs of ``graph`` for every item; items are tuples of inputs without their batch dimension.

    Items of the same shapes share batches. The last batch is filled up, so that what an item gets never depends on
    which others came with it.
    """
    results: dict[int, tuple[Tensor, ...]] = {}
    shapes = [tuple(tuple(value.shape) for value in item) for item in items]
    for shape in dict.fromkeys(shapes):
        alike = [i for i, own in enumerate(shapes) if own == shape]
        for start in range(0, len(alike), batch):
            taken = alike[start : start + batch]
            filled = [items[i] for i in (*taken, *[taken[-1]] * (batch - len(taken)))]
            inputs = [_stacked([_tensor(value) for value in column]).to(device) for column in zip(*filled, strict=True)]
            outputs = graph(*inputs)
            results |= {i: tuple(output[place] for output in outputs) for place, i in enumerate(taken)}
    return [results[i] for i in range(len(items))]


def collected(embeddings: Sequence[Sequence[Tensor]]) -> NDArray[np.float16] | None:
    """(n, E) of n pictures: of each the outputs that ``networks.embedding`` adds to a graph, one or none."""
    if not embeddings or not embeddings[0]:
        return None
    return torch.stack([vector for (vector,) in embeddings]).cpu().numpy()


def _tensor(value: Tensor | NDArray) -> Tensor:
    return value if isinstance(value, Tensor) else torch.tensor(value)  # a copy: the object store is read-only


def _stacked(values: list[Tensor]) -> Tensor:
    return torch.stack(values) if len(values) > 1 else values[0][None]  # a view: features are large
