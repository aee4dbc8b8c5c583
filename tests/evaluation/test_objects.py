"""Ways of following objects, over sequences whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.squares import Squares, walk
from tests.tracking.paints import HEIGHT, WIDTH, network, square
from vss_ray.errors import ConfigError, DataError
from vss_ray.evaluation import trackers
from vss_ray.evaluation.carried import Carried, Standing
from vss_ray.evaluation.objects import follow, mask_of
from vss_ray.evaluation.trackers import VARIANTS, Variant, variant
from vss_ray.metrics.objects import davis
from vss_ray.tracking import target, tracker

SMALL = tracker.Config(height=HEIGHT, width=WIDTH, target=target.Config(search=9))
BY_RTS = Variant(trackers._by_rts(SMALL))


def j_of(sequence: Squares, way: Variant, *, last: bool = False) -> float:
    return davis(follow(sequence, way, network(), last=last).scores.values())["j_mean"]


def test_left_standing_by_hand():
    """A square of 32 that moved by 4 and 8: 28 of 36 columns are in both, then 24 of 40; the last is not scored."""
    sequence = Squares(walk(4))
    assert j_of(sequence, VARIANTS["first"]) == pytest.approx((28 / 36 + 24 / 40) / 2)
    assert j_of(sequence, VARIANTS["first"], last=True) == pytest.approx((28 / 36 + 24 / 40 + 20 / 44) / 3)


def test_the_network_and_the_flow_follow_what_moves():
    sequence = Squares(walk(8))
    assert j_of(sequence, BY_RTS) > 0.75 > j_of(sequence, VARIANTS["first"])
    assert j_of(sequence, VARIANTS["flow"]) > 0.9


def test_boxes_are_scored_from_where_the_object_is_given():
    outcome = follow(Squares((None, *walk(5)), with_masks=False, start=1), VARIANTS["first"], network(), last=False)
    assert not outcome.scores
    true, found = outcome.boxes[1]
    assert true.tolist() == [[24 + 4 * n, 32, 32, 32] for n in range(5)]
    assert found.tolist() == [[24, 32, 32, 32]] * 5
    assert outcome.size == (HEIGHT, WIDTH)


def test_an_object_that_is_not_found_has_no_box():
    sequence = Squares((*walk(2), None, None), with_masks=False)
    true, found = follow(sequence, BY_RTS, network(), last=False).boxes[1]
    assert np.isnan(true[2:]).all()
    assert found.shape == (4, 4)


def test_from_both_ends(monkeypatch):
    """What moved away half way is known at the end; from there it is found for the frames before."""
    there = tuple((48, 130) for _ in range(4))
    sequence = Squares((*walk(3), *there))
    monkeypatch.setattr(trackers, "Tracker", lambda net: tracker.Tracker(net, SMALL))
    assert j_of(sequence, VARIANTS["rts-both"]) > 0.7


def test_time_is_that_of_following_alone():
    outcome = follow(Squares(walk(5)), VARIANTS["first"], network(), last=False)
    assert outcome.frames == 4
    assert 0 < outcome.seconds < 0.1


def test_an_object_has_to_be_there_where_it_is_given():
    with pytest.raises(DataError, match="object 1 is not known on frame 0"):
        follow(Squares((None, *walk(2))), VARIANTS["first"], network(), last=False)


def test_ways_have_names():
    assert variant("rts") is VARIANTS["rts"]
    with pytest.raises(ConfigError, match=r"followed by rts, .*first; got 'sam'"):
        variant("sam")


def test_a_box_begins_as_all_of_its_pixels():
    assert np.array_equal(mask_of((24, 32, 32, 32), (HEIGHT, WIDTH)), square(48, 40))
    assert mask_of((-5, -5, 8, 8), (10, 10)).sum() == 9
    assert mask_of((9.9, 9.9, 0.2, 0.2), (10, 10)).sum() == 1


def test_an_object_that_is_given_later_joins():
    frame = np.zeros((20, 20, 3), np.uint8)
    for carrier in (Standing(), Carried()):
        one, other = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
        one[:5], other[10:] = True, True
        carrier.step(frame, {1: one})
        ids = carrier.step(frame, {7: other})
        assert np.array_equal(ids == 7, other)
        assert np.array_equal(ids == 1, one)
