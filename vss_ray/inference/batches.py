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
    which others came with it. Tensors live on the device, arrays are brought there, a batch of them at once.
    """
    results: dict[int, tuple[Tensor, ...]] = {}
    shapes = [tuple(tuple(value.shape) for value in item) for item in items]
    for shape in dict.fromkeys(shapes):
        alike = [i for i, own in enumerate(shapes) if own == shape]
        for start in range(0, len(alike), batch):
            taken = alike[start : start + batch]
            filled = [items[i] for i in (*taken, *[taken[-1]] * (batch - len(taken)))]
            outputs = graph(*(_stacked(column, device) for column in zip(*filled, strict=True)))
            results |= {i: tuple(output[place] for output in outputs) for place, i in enumerate(taken)}
    return [results[i] for i in range(len(items))]


def collected(embeddings: Sequence[Sequence[Tensor]]) -> NDArray[np.float16] | None:
    """(n, E) of n pictures: of each the outputs that ``networks.embedding`` adds to a graph, one or none."""
    if not embeddings or not embeddings[0]:
        return None
    return fetched(torch.stack([vector for (vector,) in embeddings]))


def fetched(tensor: Tensor) -> NDArray:
    """The same numbers on the host; a CPU's own are not copied."""
    if tensor.device.type == "cpu":
        return tensor.numpy()
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)  # of those that were let go, mostly
    host.copy_(tensor, non_blocking=True)
    done = torch.cuda.Event(blocking=True)  # the core that waits is wanted elsewhere
    done.record()
    done.synchronize()
    return host.numpy()


def fetched_alike(tensors: Sequence[Tensor]) -> list[NDArray]:
    """``fetched`` of each; those of a device, which have one shape, come as one."""
    if not tensors or tensors[0].device.type == "cpu":
        return [tensor.numpy() for tensor in tensors]
    return list(fetched(torch.stack([*tensors])))


def _stacked(values: Sequence[Tensor | NDArray], device: torch.device) -> Tensor:
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack([*values]) if len(values) > 1 else first[None]  # type: ignore[list-item]
    # Memory that was let go is not used again before what was in it has been copied to the device.
    kind = torch.from_numpy(np.empty(0, first.dtype)).dtype
    staging = torch.empty((len(values), *first.shape), dtype=kind, pin_memory=device.type == "cuda")
    for place, value in zip(staging.numpy(), values, strict=True):
        place[...] = value
    return staging.to(device, non_blocking=True)
