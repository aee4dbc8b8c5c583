"""J and F of objects over frames: which frames count, and what DAVIS and YouTube-VOS make of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.metrics.boundary import boundary_measure
from vss_ray.metrics.objects import ObjectScore, davis, score_masks, scored_frames, youtube_vos
from vss_ray.metrics.region import region_similarity

SIZE = (20, 30)


def ids(*columns: int) -> np.ndarray:
    """Three stripes, each of an object."""
    return np.repeat(np.array([columns], np.uint8), SIZE[0], 0).repeat(10, 1)


def random_ids(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, (4, 6)).astype(np.uint8).repeat(5, 0).repeat(5, 1)


def score(j: float, f: float, frames: int = 10) -> ObjectScore:
    recalled = (frames * (j > 0.5), frames * (f > 0.5))
    return ObjectScore(frames, j * frames, f * frames, *recalled)


def test_which_frames_count():
    assert [*scored_frames(0, 5, last=False)] == [1, 2, 3], "DAVIS"
    assert [*scored_frames(2, 5, last=True)] == [3, 4], "YouTube-VOS"
    assert [*scored_frames(0, 2, last=False)] == [*scored_frames(4, 5, last=True)] == []


def test_frames_of_every_object():
    truth = [ids(1, 0, 0), ids(1, 1, 0), None, ids(1, 2, 2), ids(0, 2, 2)]
    predicted = [ids(0, 0, 0), ids(1, 0, 0), ids(0, 0, 0), ids(1, 2, 0), ids(0, 0, 0)]
    scores = score_masks(truth, predicted, {1: range(1, 5), 2: range(4, 5)})
    assert (scores[1].frames, scores[1].j_sum, scores[1].j_recalled) == (3, 0.5 + 1 + 1, 2)
    assert (scores[2].frames, scores[2].j_sum, scores[2].f_sum) == (1, 0, 0)


def test_void_counts_for_nothing():
    truth, predicted = [ids(1, 255, 0)], [ids(1, 1, 0)]
    (value,) = score_masks(truth, predicted, {1: range(1)}).values()
    assert (value.j_sum, value.f_sum) == (1, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(0, 6))
def test_parts_of_a_sequence_merge(seed, cut):
    truth, predicted = ([random_ids(base + i) for i in range(6)] for base in (seed, seed + 500))
    frames = {1: range(6), 2: range(2, 6)}
    whole = score_masks(truth, predicted, frames)
    first = score_masks(truth[:cut], predicted[:cut], frames)
    rest = {each: range(max(f.start - cut, 0), max(f.stop - cut, 0)) for each, f in frames.items()}
    for each, part in score_masks(truth[cut:], predicted[cut:], rest).items():
        first[each].merge(part)
        assert vars(first[each]) == pytest.approx(vars(whole[each]))
    pairs = [(t == 1, p == 1) for t, p in zip(truth, predicted, strict=True)]
    assert whole[1].j_sum == pytest.approx(sum(region_similarity(*pair) for pair in pairs))
    assert whole[1].f_sum == pytest.approx(sum(boundary_measure(*pair) for pair in pairs))
    assert whole[1].f_recalled == sum(boundary_measure(*pair) > 0.5 for pair in pairs)


def test_objects_count_alike_however_long_they_are():
    result = davis([score(0.8, 0.6, 100), score(0.4, 0.7, 2), ObjectScore()])
    assert result == pytest.approx(
        {"j_and_f": (0.6 + 0.65) / 2, "j_mean": 0.6, "j_recall": 0.5, "f_mean": 0.65, "f_recall": 1.0}
    )


def test_g_counts_seen_and_unseen_alike():
    result = youtube_vos([score(0.8, 0.9)] * 9, [score(0.4, 0.5)])
    assert result == pytest.approx({"g": 0.65, "j_seen": 0.8, "j_unseen": 0.4, "f_seen": 0.9, "f_unseen": 0.5})
    # The published row of RTS, so that the order of the terms is not in doubt.
    assert youtube_vos([score(0.779, 0.820)], [score(0.754, 0.833)])["g"] == pytest.approx(0.797, abs=0.001)


def test_nothing_scored():
    assert all(math.isnan(value) for value in davis([ObjectScore()]).values())
    assert math.isnan(youtube_vos([score(1, 1)], [])["g"])


def test_other_numbers_of_frames_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        score_masks([ids(1, 0, 0)] * 2, [ids(1, 0, 0)], {1: range(2)})
