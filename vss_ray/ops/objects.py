"""How many objects of each class a picture shows: connected regions of one label, counted without a network.

Regions are connected by any of eight neighbors (two passes and a union-find, as Rosenfeld and Pfaltz 1966, over runs of
a row instead of pixels). What is smaller than ``SMALLEST`` is noise of the labels. Two cars that touch in the picture
are one region: the count is a lower bound of what a person would say.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SMALLEST = 0.0005
"""Share of the picture that a region must have to count."""

LONGEST = 320
"""Samples along the longer side at most: the smallest region that counts still has some 25 of them."""


def count_objects(ids: NDArray[np.uint8] | NDArray[np.uint16], num_classes: int) -> NDArray[np.uint16]:
    """(num_classes,) connected regions of every class in ``ids`` (H, W); other ids, such as void, are left out."""
    samples = thinned(ids)
    counts = np.zeros(num_classes, np.int64)
    _count(samples, counts, SMALLEST * samples.size)
    return np.minimum(counts, 65535).astype(np.uint16)


def thinned(ids: NDArray) -> NDArray:
    """Every n-th pixel of every n-th row, from the middle of the first n."""
    step = -(-max(ids.shape) // LONGEST)
    return ids[step // 2 :: step, step // 2 :: step]


@njit(cache=True, nogil=True)
def _count(ids, counts, smallest):  # pragma: no cover
    height, width = ids.shape
    runs = np.empty((ids.size, 2), np.int32)  # columns [start, stop) of one label, row after row
    classes, parents = np.empty(ids.size, np.int32), np.empty(ids.size, np.int32)
    above = first = found = 0  # runs of the row above are those from ``above`` to ``first``
    for y in range(height):
        start = 0
        for x in range(1, width + 1):
            if x == width or ids[y, x] != ids[y, start]:
                runs[found, 0], runs[found, 1] = start, x
                classes[found], parents[found] = ids[y, start], found
                found += 1
                start = x
        near = above
        for run in range(first, found):
            while near < first and runs[near, 1] < runs[run, 0]:
                near += 1
            other = near
            while other < first and runs[other, 0] <= runs[run, 1]:  # they touch, if only at a corner
                if classes[other] == classes[run]:
                    _join(parents, run, other)
                other += 1
        above, first = first, found
    sizes = np.zeros(found, np.int64)
    for run in range(found - 1, -1, -1):  # a parent is the older one: children are added up before it
        sizes[run] += runs[run, 1] - runs[run, 0]
        if parents[run] != run:
            sizes[parents[run]] += sizes[run]
        elif sizes[run] >= smallest and classes[run] < counts.size:
            counts[classes[run]] += 1


@njit(cache=True, nogil=True)
def _join(parents, one, other):  # pragma: no cover
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True)
def _root(parents, region):  # pragma: no cover
    while parents[region] != region:
        parents[region] = parents[parents[region]]
        region = parents[region]
    return region
