"""Where two videos show the same in the same order: windows of embeddings that change in step.

Re-encoding, scaling and cropping move all embeddings of a video into one direction, and two drives along one road look
alike all the time: the likeness of single keyframes says little. What is compared is how embeddings change. Both videos
are sampled twice a second; windows of ten seconds, each less its own mean, are correlated as template matching does
(Lewis, "Fast Normalized Cross-Correlation", 1995), for every place in the one against every place in the other. A
correlation of unrelated windows stays below 0.4, that of a copy above 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP = 0.5
"""Seconds from sample to sample."""
WINDOW = 20
"""Samples."""
FAR = 6.0
"""Seconds between keyframes from which on nothing is known of what lies between."""
BEGUN, KEPT = 0.5, 0.4
"""Correlation from which a stretch is believed, and down to which it goes on."""
SEEN = 0.75
"""Mean likeness of the samples themselves, at least."""
DRIFT, STRAIGHT = 1, 0.05
"""Samples by which the offset may change from one place to the next, and the correlation that it has to gain."""
BLOCK = 1200
"""Places in the first video looked at together."""


@dataclass(frozen=True)
class Track:
    """A video, or a part of it, as samples."""

    first_seconds: float
    samples: NDArray[np.float32]
    """(n, E)"""
    known: NDArray[np.bool_]
    """(n,) whether there is a keyframe near."""

    @classmethod
    def of(cls, seconds: NDArray[np.float64], vectors: NDArray[np.floating]) -> Track:
        """Between keyframes at ``seconds`` (k,), ascending, embeddings (k, E) go over into each other."""
        first = np.ceil(seconds[0] / STEP) * STEP
        times = np.arange(first, seconds[-1] + STEP / 100, STEP)
        after = np.searchsorted(seconds, times).clip(1, max(1, len(seconds) - 1))
        before, after = after - 1, np.minimum(after, len(seconds) - 1)
        length = seconds[after] - seconds[before]
        share = ((times - seconds[before]) / np.maximum(length, STEP / 100)).clip(0, 1)[:, None].astype(np.float32)
        vectors = vectors.astype(np.float32)
        samples = ((1 - share) * vectors[before] + share * vectors[after]).astype(np.float32, copy=False)
        return cls(float(first), samples, length <= FAR)

    def part(self, start: int, stop: int) -> Track:
        """Samples ``[start, stop)``, as far as there are any."""
        start = max(0, start)
        return Track(self.first_seconds + STEP * start, self.samples[start:stop], self.known[start:stop])


@dataclass(frozen=True)
class Stretch:
    """The same for some time; seconds in either video."""

    start: float
    end: float
    other_start: float
    score: float
    """Mean correlation."""

    @property
    def offset(self) -> float:
        """Seconds from the one to the other."""
        return self.other_start - self.start


def stretches(one: Track, other: Track) -> list[Stretch]:
    """All stretches of two videos, longest first; no moment of the first is in two of them."""
    found: list[Stretch] = []
    for start in range(0, max(1, len(one.samples) - WINDOW + 1), BLOCK):
        block = one.part(start, start + BLOCK + WINDOW - 1)
        if min(len(block.samples), len(other.samples)) >= WINDOW:
            found += _stretches(block, other)
    return merged(found)


def merged(found: list[Stretch]) -> list[Stretch]:
    """Stretches that go on in each other as one; of those that overlap in the first video the longest."""
    joined: list[Stretch] = []
    for each in sorted(found, key=lambda s: (s.start, s.end)):
        for i, before in enumerate(joined):
            is_near = each.start <= before.end + STEP * WINDOW / 2
            if is_near and abs(each.offset - before.offset) <= 2 * STEP:
                longer = max(before, each, key=lambda s: s.end - s.start)
                other_start = before.start + longer.offset
                joined[i] = Stretch(before.start, max(before.end, each.end), other_start, longer.score)
                break
        else:
            joined.append(each)
    chosen: list[Stretch] = []
    for each in sorted(joined, key=lambda s: (s.start - s.end, -s.score)):
        if all(each.end <= s.start + STEP * WINDOW / 2 or each.start >= s.end - STEP * WINDOW / 2 for s in chosen):
            chosen.append(each)
    return chosen


def correlations(one: Track, other: Track) -> NDArray[np.float32]:
    """(n - WINDOW + 1, m - WINDOW + 1): of the windows that begin there; -1 where too little is known or seen."""
    likeness = one.samples @ other.samples.T
    rows, columns = (size - WINDOW + 1 for size in likeness.shape)
    total = likeness[:rows, :columns].copy()
    for i in range(1, WINDOW):
        total += likeness[i : i + rows, i : i + columns]
    (mean, spread, known), (other_mean, other_spread, other_known) = (_windows(track) for track in (one, other))
    common = total - WINDOW * (mean @ other_mean.T)
    found = (common / np.maximum(spread[:, None] * other_spread, 1e-6)).astype(np.float32, copy=False)
    found[(total < SEEN * WINDOW) | ~known[:, None] | ~other_known] = -1
    return found


def _windows(track: Track) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Of every window: mean (n, E), root of the summed squared distances to it (n,), whether all of it is known."""
    views = np.lib.stride_tricks.sliding_window_view
    mean = views(track.samples, WINDOW, 0).mean(2)
    squares = views(np.square(track.samples).sum(1), WINDOW).sum(1)
    spread = np.sqrt(np.maximum(squares - WINDOW * np.square(mean).sum(1), 0))
    return mean, spread, np.asarray(views(track.known, WINDOW).all(1))


def _stretches(one: Track, other: Track) -> list[Stretch]:
    found = correlations(one, other)
    best = found.max(1)
    done: list[Stretch] = []
    while best.max() >= BEGUN:
        row = int(best.argmax())
        path = [(row, int(found[row].argmax()))]
        for direction in (-1, 1):
            path = sorted(path + _follow(found, best, path[0 if direction < 0 else -1], direction))
        scores = [float(found[place]) for place in path]
        first, last = path[0][0], path[-1][0]
        there = first + int(np.median([column - row for row, column in path]))
        start = one.first_seconds + STEP * first
        end = one.first_seconds + STEP * (last + WINDOW - 1)
        done.append(Stretch(start, end, other.first_seconds + STEP * there, float(np.mean(scores))))
        best[first : last + 1] = -1
    return done


def _follow(
    found: NDArray[np.float32], best: NDArray[np.float32], place: tuple[int, int], direction: int
) -> list[tuple[int, int]]:
    """From a place on, as long as the windows go on being alike and are in no stretch yet."""
    path = []
    row, column = place[0] + direction, place[1] + direction
    while 0 <= row < len(found) and 0 <= column < found.shape[1] and best[row] >= KEPT:
        low = max(0, column - DRIFT)
        near = found[row, low : column + DRIFT + 1]
        if near.max() < KEPT:
            break
        if near.max() > found[row, column] + STRAIGHT:
            column = low + int(near.argmax())
        path.append((row, column))
        row, column = row + direction, column + direction
    return path
