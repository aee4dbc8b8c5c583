"""How sure an answer is: how often the network, asked again on a sample of frames, agreed with the labels it rests on.

Precision by distance: of the pixels that carry a class so many pictures away from a keyframe, the share to which the
network gives the same class when it sees that very picture. On a keyframe the labels are the network's own. It says
what the shortcut costs, not how good the network is.

Neighboring distances lend each other pictures until there are enough to say something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from vss_ray.documents import read_json
from vss_ray.metrics.agreement import interval

ENOUGH = 20
"""Pictures that the agreement at a distance rests on, where there are so many."""

CLIPS = 2000
"""Clips that are read at most: an even sample of those that were audited, so that no archive is too long."""

AUDITS = """\
SELECT audit FROM clips WHERE audit IS NOT NULL
    AND hash(video_id, clip_id) % (SELECT greatest(count(audit) // $clips, 1) FROM clips) = 0
ORDER BY video_id, start
"""


@dataclass(frozen=True)
class Agreement:
    """By distance to the keyframe, from 0 on; the last one stands for all beyond."""

    mean: list[float]
    low: list[float]
    """Lower end of the 95 % interval."""
    high: list[float]


def agreement(connection: duckdb.DuckDBPyConnection, classes: Sequence[int]) -> Agreement | None:
    """How sure labels of some classes are together; None where too little was audited to say."""
    if not classes:
        return None
    audits = connection.execute(AUDITS, {"clips": CLIPS}).fetchall()
    pictures = [picture for (audit,) in audits for picture in read_json(audit)]
    # Of the pixels that carry a class; records that do not say which carried one tell those that should.
    carried = _counted([picture.get("carried", picture["pixels"]) for picture in pictures], classes)
    agreeing = _counted([picture["agreeing"] for picture in pictures], classes)
    distances = np.array([picture["distance"] for picture in pictures], np.int64)
    seen = carried > 0
    if seen.sum() < 2:
        return None
    return _by_distance(distances[seen], agreeing[seen], carried[seen])


def _counted(counts: list[list[int]], classes: Sequence[int]) -> NDArray[np.float64]:
    return np.array([sum(each[i] for i in classes) for each in counts], np.float64)


def _by_distance(
    distances: NDArray[np.int64], agreeing: NDArray[np.float64], carried: NDArray[np.float64]
) -> Agreement:
    rows = [(1.0, 1.0, 1.0)]
    for distance in range(1, int(distances.max()) + 1):
        away = np.abs(distances - distance)
        near = away <= max(np.sort(away)[:ENOUGH][-1], 0)
        share = agreeing[near].sum() / carried[near].sum()
        # A ratio of sums, linearized: pictures are the sample, large ones weigh more.
        terms = share + (agreeing[near] - share * carried[near]) / carried[near].mean()
        half = interval(terms.tolist())["half_width"] or 0.0
        rows.append((float(share), max(float(share) - half, 0.0), min(float(share) + half, 1.0)))
    mean, low, high = (list(column) for column in zip(*rows, strict=True))
    return Agreement(mean, low, high)
