"""Objects followed from both ends of a stretch whose masks are known: the future helps where there is one.

Offline, an object that was lost on the way there is often found on the way back, and neither way drifts further than
half of the stretch before the other one counts more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vss_ray.tracking.aggregation import aggregate
from vss_ray.tracking.tracker import Tracked, Tracker

Masks = Mapping[int, NDArray[np.bool_]]
LEVELS = 255
"""Of probabilities, while they wait for the other direction."""


def between(
    frames: Sequence[NDArray[np.uint8]], first: Masks, last: Masks, new_tracker: Callable[[], Tracker]
) -> list[Tracked]:
    """Objects on all frames but the two ends, which are known.

    Args:
        frames: (H, W, 3) RGB, in order, both ends included.
        first: Masks (H, W) by id on the first of them.
        last: On the last of them, of the same objects or others: one that is at one end only comes from there.
        new_tracker: Makes a tracker that follows nothing yet.
    """
    forward = _followed(frames, first, new_tracker())
    backward = _followed(frames[::-1], last, new_tracker())[::-1]
    count = len(forward)
    return [
        join(_unpacked(there), _unpacked(back), (number + 1) / (count + 1))
        for number, (there, back) in enumerate(zip(forward, backward, strict=True))
    ]


def join(forward: Tracked, backward: Tracked, share: float) -> Tracked:
    """One frame's result from both directions; each counts by how sure it is, and by how near its end is.

    Args:
        forward: From the first frame on.
        backward: From the last frame on.
        share: How far the frame is from the first towards the last, 0 to 1.
    """
    ids = np.union1d(forward.ids, backward.ids)
    sides = [(forward, 1 - share), (backward, share)]
    probabilities, scores, confidences, states, targets = [], [], [], [], []
    for number in ids:
        known = [(side, int(np.flatnonzero(side.ids == number)[0]), near) for side, near in sides if number in side.ids]
        weights = np.array([_weight(side, place, near) for side, place, near in known])
        weights /= weights.sum()
        probabilities.append(
            sum(weight * side.probabilities[place] for weight, (side, place, _) in zip(weights, known, strict=True))
        )
        best, place, _ = known[int(weights.argmax())]
        scores.append(best.scores[place])
        confidences.append(best.confidences[place])
        states.append(best.states[place])
        targets.append(best.targets[place])
    stacked = np.array(probabilities, np.float32).reshape(len(ids), *forward.probabilities.shape[1:])
    # From each direction the objects share the pixels already; only where both differ, they may have to again.
    total = stacked.sum(0) > 1
    merged = np.where(total, aggregate(stacked), stacked) if len(ids) > 1 else stacked
    return Tracked(ids, merged, np.array(scores), np.array(confidences), tuple(states), tuple(targets))


def _weight(side: Tracked, place: int, near: float) -> float:
    """An object that is not there, on the way from a far end, is hardly an objection."""
    return near * (side.confidences[place] if side.states[place] != "lost" else 0.0) + 1e-6 * near + 1e-9


def _followed(frames: Sequence[NDArray[np.uint8]], masks: Masks, tracker: Tracker) -> list[Tracked]:
    tracker.start(frames[0], masks)
    return [_packed(tracker.step(frame)) for frame in frames[1:-1]]


def _packed(tracked: Tracked) -> Tracked:
    """With probabilities of 8 bits, a quarter of the memory."""
    return _with(tracked, np.round(tracked.probabilities * LEVELS).astype(np.uint8))


def _unpacked(tracked: Tracked) -> Tracked:
    return _with(tracked, tracked.probabilities.astype(np.float32) / LEVELS)


def _with(tracked: Tracked, probabilities: NDArray) -> Tracked:
    return Tracked(tracked.ids, probabilities, tracked.scores, tracked.confidences, tracked.states, tracked.targets)
