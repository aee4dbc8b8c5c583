"""Run-length encodings of a segment: COCO's, column by column over the picture, and CVAT's, row by row in the box."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vss_ray.export.segments import Segment


def coco_counts(segment: Segment, height: int, width: int) -> str:
    """The compressed form that pycocotools reads, for a picture of ``height`` x ``width``."""
    rows = segment.mask.shape[0]
    columns = np.pad(segment.mask.T.astype(np.int8), ((0, 0), (1, 1)))
    steps = np.diff(columns, axis=1)
    first, last = (np.argwhere(steps == sign) for sign in (1, -1))
    base = (segment.left + first[:, 0]) * height + segment.top
    begins, ends = base + first[:, 1], base + last[:, 1]
    if rows == height:  # a run may go on at the top of the next column
        joined = begins[1:] == ends[:-1]
        begins, ends = begins[np.append(True, ~joined)], ends[np.append(~joined, True)]
    borders = np.stack([begins, ends], 1).ravel()
    counts = np.diff(np.concatenate([[0], borders, [height * width]]))
    return _compressed(counts if counts[-1] else counts[:-1])


def cvat_counts(segment: Segment) -> NDArray[np.int64]:
    """Lengths of the runs of 0 and 1 in turn, beginning with 0."""
    flat = segment.mask.ravel()
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    start = [0, 0] if flat[0] else [0]
    return np.diff(np.concatenate([start, borders, [flat.size]]))


def _compressed(counts: NDArray[np.int64]) -> str:
    """Like LEB128 with 5 bits a character from "0" on; from the fourth count on, the difference to the last but one."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    characters = []
    for value in values.tolist():
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            characters.append(bits | 0x20 if more else bits)
    return (np.array(characters, np.uint8) + 48).tobytes().decode("ascii")
