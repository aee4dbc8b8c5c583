from __future__ import annotations

import numpy as np
import pytest

from vss_ray.evaluation.hidden import Verdict
from vss_ray.evaluation.object_figures import Followed, figures
from vss_ray.evaluation.objects import Outcome
from vss_ray.metrics.objects import ObjectScore

GONE = [np.nan] * 4
BOXES = {1: (np.array([[0, 0, 10, 10], [0, 0, 10, 10], GONE]), np.array([[0, 0, 10, 10], [0, 0, 10, 10], GONE]))}


def masks(j: float, frames: int = 2, seconds: float = 1.0) -> Outcome:
    return Outcome({1: ObjectScore(frames, j * frames, j * frames, frames, frames)}, {}, (4, 5), frames, seconds)


def test_sequences_count_alike_whatever_their_length():
    row = figures([Followed(masks(0.5, 2)), Followed(masks(0.9, 8))], "davis")
    assert row["j_mean"] == pytest.approx(0.7)
    assert row["frames_per_second"] == pytest.approx(5.0)
    assert row["sequences"] == 2


def test_boxes_have_the_figures_of_their_dataset():
    row = figures([Followed(Outcome({}, BOXES, (20, 20), 2, 1.0))], "lasot")
    assert row["auc"] == pytest.approx(20 / 21)  # no overlap is above 1
    assert row["precision"] == row["normalized_precision"] == 1
    assert "ao" not in row
    assert figures([Followed(Outcome({}, BOXES, (20, 20), 2, 1.0))], "got10k")["ao"] == 1


def test_scenes_have_verdicts():
    verdict = Verdict(returns=True, lost=True, lost_at_end=False, jumped=False, found=True)
    assert figures([Followed(masks(0.5), verdict)], "occlusions")["recovered"] == 1


def test_what_travels_arrives():
    verdict = Verdict(returns=True, lost=True, lost_at_end=False, jumped=True, found=True)
    for outcome in (masks(0.5), Outcome({}, BOXES, (20, 20), 2, 0.5)):
        sent = Followed(outcome, verdict)
        arrived = Followed.from_json(sent.to_json())
        assert arrived.verdict == verdict
        assert arrived.outcome.scores == outcome.scores
        assert (arrived.outcome.size, arrived.outcome.frames) == (outcome.size, outcome.frames)
        for each, pair in outcome.boxes.items():
            np.testing.assert_array_equal(arrived.outcome.boxes[each], pair)
