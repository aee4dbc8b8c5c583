"""How many objects of each class a picture shows: connected regions of one label, counted without a network.

Regions are connected by any of eight neighbors (two passes and a union-find, as Rosenfeld and Pfaltz 1966). What is
smaller than ``SMALLEST`` is noise of the labels. Two cars that touch in the picture are one region: the count is a
lower bound of what a person would say.
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
    regions = np.empty((height, width), np.int32)
    parents = np.empty(height * width, np.int32)
    sizes = np.zeros(height * width, np.int32)
    classes = np.empty(height * width, np.int32)
    found = 0
    for y in range(height):
        for x in range(width):
            label = ids[y, x]
            if label >= counts.size:
                continue
            region = -1
            if x and ids[y, x - 1] == label:
                region = regions[y, x - 1]
            if y:
                for above in range(max(0, x - 1), min(width, x + 2)):
                    if ids[y - 1, above] == label:
                        other = regions[y - 1, above]
                        region = other if region < 0 or other == region else _join(parents, region, other)
            if region < 0:
                region = found
                parents[region] = region
                classes[region] = label
                found += 1
            regions[y, x] = region
            sizes[region] += 1
    for region in range(found - 1, -1, -1):  # a parent is the older one: children are added up before it
        if parents[region] != region:
            sizes[parents[region]] += sizes[region]
        elif sizes[region] >= smallest:
            counts[classes[region]] += 1


@njit(cache=True, nogil=True)
def _join(parents, one, other):  # pragma: no cover
    one, other = _root(parents, one), _root(parents, other)
    older, younger = min(one, other), max(one, other)
    parents[younger] = older
    return older


@njit(cache=True, nogil=True)
def _root(parents, region):  # pragma: no cover
    while parents[region] != region:
        parents[region] = parents[parents[region]]
        region = parents[region]
    return region
