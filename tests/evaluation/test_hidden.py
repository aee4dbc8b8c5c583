"""Verdicts on scenes with an occlusion, from frames made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vss_ray.datasets.tracked import Truth
from vss_ray.evaluation.hidden import Sighting, Sightings, Verdict, shares
from vss_ray.evaluation.trackers import Answer

SEEN = Sighting(visible=100, overlap=0.8, mistaken=0.0, lost=False)
HIDDEN = Sighting(visible=0, overlap=0.0, mistaken=0.0, lost=False)
SAID = Sighting(visible=0, overlap=0.0, mistaken=0.0, lost=True)
MISTAKEN = Sighting(visible=0, overlap=0.0, mistaken=0.6, lost=False)
MISSED = Sighting(visible=100, overlap=0.0, mistaken=0.0, lost=True)
RIM = Sighting(visible=20, overlap=0.0, mistaken=0.0, lost=False)


@pytest.mark.parametrize(
    ("frames", "recovered"),
    [
        ([SEEN, HIDDEN, SAID, SEEN], True),
        ([SEEN, HIDDEN, HIDDEN, SEEN], False),
        ([SEEN, HIDDEN, MISTAKEN, SAID, SEEN], False),
        ([SEEN, HIDDEN, SAID, MISSED], False),
        ([SEEN, HIDDEN, SAID, SEEN, MISSED], False),
        ([SEEN, HIDDEN, SAID, SEEN, RIM], True),
    ],
)
def test_recovered_is_reported_lost_and_found_without_a_mistake(frames, recovered):
    assert Sightings(frames).verdict.recovered == recovered


def test_who_stays_away_should_be_lost_at_the_end():
    verdict = Sightings([SEEN, HIDDEN, SAID, SAID]).verdict
    assert not verdict.returns
    assert verdict.lost_at_end
    assert not Sightings([SEEN, SAID, MISTAKEN]).verdict.lost_at_end


def test_shares():
    back = Verdict(returns=True, lost=True, lost_at_end=False, jumped=False, found=True)
    missed = Verdict(returns=True, lost=True, lost_at_end=True, jumped=True, found=False)
    away = Verdict(returns=False, lost=True, lost_at_end=True, jumped=False, found=False)
    assert shares([back, missed, away]) == {"recovered": 0.5, "found": 0.5, "jumped": 1 / 3, "lost_at_end": 1.0}
    assert np.isnan(shares([back])["lost_at_end"])


def test_a_frame_is_seen_through_truth_and_answer():
    ids = np.zeros((10, 10), np.uint8)
    ids[:, :4], ids[:, 6:] = 1, 2
    found = np.zeros((10, 10), np.uint16)
    found[:, 6:8] = 1
    sightings = Sightings()
    sightings.watch(Truth({1: (0, 0, 4, 10)}, ids), Answer(found, {1: "lost"}))
    assert sightings.frames == [Sighting(visible=40, overlap=0.0, mistaken=0.5, lost=True)]
    with pytest.raises(ValueError, match="every frame"):
        sightings.watch(None, Answer(found, {}))
