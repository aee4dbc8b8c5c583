"""Counts of sequences, phases and workers add up and travel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally
from vss_ray.metrics.confusion import mean_iou


def random_tally(seed: int, num_classes: int = 3) -> Tally:
    rng = np.random.default_rng(seed)
    tally = Tally(num_classes)
    for distance in rng.choice(5, rng.integers(1, 4), replace=False).tolist():
        tally.count(distance, rng.integers(0, 2**40, (num_classes, num_classes)))
        pixels = rng.integers(10, 20, num_classes)
        tally.agreement.add([{"distance": distance, "pixels": pixels, "agreeing": pixels - 3, "repeated": pixels - 1}])
    tally.consistency[8] += (rng.random() * 4, 4)
    tally.warped += rng.integers(0, 99, (num_classes, num_classes))
    tally.frames += (10, 2, 2)
    tally.seconds += rng.random(3)
    return tally


def assert_same(one: Tally, two: Tally) -> None:
    assert one.num_classes == two.num_classes
    assert one.by_distance.keys() == two.by_distance.keys()
    for distance, counts in one.by_distance.items():
        np.testing.assert_array_equal(counts, two.by_distance[distance])
    for window, sums in one.consistency.items():
        np.testing.assert_allclose(sums, two.consistency[window])
    assert one.agreement.to_dict() == two.agreement.to_dict()
    np.testing.assert_array_equal(one.warped, two.warped)
    np.testing.assert_array_equal(one.frames, two.frames)
    np.testing.assert_allclose(one.seconds, two.seconds)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99))
def test_the_way_between_processes_changes_nothing(seed):
    tally = random_tally(seed)
    assert_same(Tally.from_bytes(tally.to_bytes()), tally)


def test_nothing_counted_travels_too():
    assert_same(Tally.from_bytes(Tally(4).to_bytes()), Tally(4))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 99), min_size=2, max_size=4))
def test_counts_add_up(seeds):
    total = Tally(3)
    for seed in seeds:
        total.merge(Tally.from_bytes(random_tally(seed).to_bytes()))
    whole = np.sum([np.sum([*random_tally(seed).by_distance.values()], axis=0) for seed in seeds], axis=0)
    assert whole.dtype == np.int64
    score = Score.of(total)
    assert score.mean_iou == pytest.approx(mean_iou(whole))
    assert score.keyframe_share == pytest.approx(0.2)
    sums = sum(random_tally(seed).consistency[8] for seed in seeds)
    assert score.vc8 == pytest.approx(sums[0] / sums[1])
    assert np.isnan(score.vc16)


def test_other_classes_do_not_add_up():
    with pytest.raises(ValueError, match="different classes"):
        Tally(3).merge(Tally(4))
