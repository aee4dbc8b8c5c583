from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.tracking.paints import BLUE, HEIGHT, RED, WIDTH, network, overlap, scene, square
from vss_ray.tracking import joining, target, tracker
from vss_ray.tracking.target import Target
from vss_ray.tracking.tracker import State, Tracked, Tracker

CONFIG = tracker.Config(height=HEIGHT, width=WIDTH, target=target.Config(search=9))


def result(probability: float, confidence: float, state: State = "tracked", ids: Sequence[int] = (1,)) -> Tracked:
    count = len(ids)
    return Tracked(
        ids=np.array(ids),
        probabilities=np.full((count, 2, 2), probability, np.float32),
        scores=np.full(count, confidence),
        confidences=np.full(count, confidence),
        states=(state,) * count,
        targets=(Target((1.0, 1.0), (1.0, 1.0)),) * count,
    )


def test_the_surer_direction_counts_more():
    joined = joining.join(result(0.9, 0.8), result(0.1, 0.2), 0.5)
    assert joined.probabilities[0, 0, 0] == pytest.approx(0.9 * 0.8 + 0.1 * 0.2, rel=1e-3)
    assert joined.scores.tolist() == [0.8]


def test_the_nearer_end_counts_more():
    for share in (0.1, 0.5, 0.9):
        joined = joining.join(result(1.0, 0.5), result(0.0, 0.5), share)
        assert joined.probabilities[0, 0, 0] == pytest.approx(1 - share, rel=1e-3)


def test_who_lost_it_has_no_say():
    joined = joining.join(result(0.0, 0.9, "lost"), result(0.8, 0.1), 0.5)
    assert joined.probabilities[0, 0, 0] == pytest.approx(0.8, rel=1e-3)
    assert joined.states == ("tracked",)
    assert joining.join(result(0.0, 0.0, "lost"), result(0.0, 0.0, "lost"), 0.3).states == ("lost",)


def test_objects_of_one_end_come_from_there():
    joined = joining.join(result(0.9, 0.5, ids=(1, 2)), result(0.4, 0.5, ids=(2, 3)), 0.5)
    assert joined.ids.tolist() == [1, 2, 3]
    assert (joined.probabilities.sum(0) <= 1 + 1e-5).all()


def test_lost_on_the_way_there_is_found_on_the_way_back():
    """It comes back elsewhere and differently painted than it was known at first: only the second end knows it."""
    there = [scene((RED, 48, 32, 32))] * 4 + [scene()] * 3
    back = [scene((BLUE, 48, 120, 32))] * 8
    first, last = {1: square(48, 32)}, {1: square(48, 120)}
    truth = [square(48, 32)] * 4 + [np.zeros((HEIGHT, WIDTH), bool)] * 3 + [square(48, 120)] * 8
    frames = there + back
    joined = joining.between(frames, first, last, lambda: Tracker(network(), CONFIG))
    assert len(joined) == len(frames) - 2
    following = Tracker(network(), CONFIG)
    following.start(frames[0], first)
    forward = [following.step(frame) for frame in frames[1:-1]]
    reached = [
        np.mean([overlap(true, each.masks == 1) for true, each in zip(truth[1:-1], results, strict=True) if true.any()])
        for results in (joined, forward)
    ]
    assert reached[0] > 0.95
    assert reached[1] < 0.5
