"""Motion between two sources, and how much either of them is to be trusted."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.frames import Planes
from vss_ray.methods._interval import Interval, Settings, still
from vss_ray.scan import Scan

HEIGHT, WIDTH = 96, 128
SPEED = np.array([2, -2])
"""Content moves right and up, pixels a picture; half of it in cells of the chroma grid."""
CELLS = SPEED / 2
INSIDE = np.s_[12:-12, 12:-12]


def scanned(count: int, *, rate: float = 10.0, light: Any = 0) -> Scan:
    """Pictures of a texture that moves by SPEED; ``light`` is added to each."""
    rng = np.random.default_rng(0)
    large = cv2.GaussianBlur(rng.integers(60, 190, (HEIGHT + 120, WIDTH + 120)).astype(np.uint8), (0, 0), 1.5)
    planes = []
    for i, more in enumerate(np.broadcast_to(light, count)):
        x, y = np.array([60, 60]) - i * SPEED
        luma = (large[y : y + HEIGHT, x : x + WIDTH] + more).astype(np.uint8)
        chroma = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
        planes.append(Planes(np.ascontiguousarray(luma), chroma, chroma))
    seconds = np.arange(count) / rate
    return Scan(seconds, np.arange(count, dtype=np.int32), planes, seconds, [range(count)], {})


class KnownFlow:
    """The truth about ``scanned``; counts how often it is asked."""

    def __init__(self, scan: Scan) -> None:
        self.number = {id(planes.y): i for i, planes in enumerate(scan.planes)}
        self.asked: list[tuple[int, int]] = []

    def __call__(self, here, there, initial=None):
        one, two = self.number[id(here)], self.number[id(there)]
        self.asked.append((one, two))
        return np.broadcast_to((two - one) * SPEED, (HEIGHT, WIDTH, 2)).astype(np.float32)


def interval(scan: Scan, first: int, last: int, *, both: bool = True, **settings: Any) -> tuple[Interval, KnownFlow]:
    flow = KnownFlow(scan)
    return Interval(scan, first, last, flow, Settings(**settings), both=both), flow


@pytest.mark.parametrize("rate", [10.0, 30.0, 120.0])
def test_every_picture_knows_the_way_to_both_ends(rate):
    """At higher rates flow is not solved at every picture; the others lie on the way."""
    between, flow = interval(scanned(10, rate=rate), 1, 9)
    for picture in range(1, 10):
        to_first, to_last = between.to_first(picture)[INSIDE], between.to_last(picture)[INSIDE]
        np.testing.assert_allclose(
            to_first[..., :2], np.broadcast_to((1 - picture) * CELLS, to_first[..., :2].shape), atol=1e-4
        )
        np.testing.assert_allclose(
            to_last[..., :2], np.broadcast_to((9 - picture) * CELLS, to_last[..., :2].shape), atol=1e-4
        )
        np.testing.assert_allclose(to_first[..., 2], 0, atol=1e-4)
        np.testing.assert_allclose(to_last[..., 2], 0, atol=1e-4)
    steps = {tuple(sorted(pair)) for pair in flow.asked}
    assert ((4, 5) in steps) == (rate <= 15)


def test_forward_needs_no_search_from_the_end():
    scan = scanned(6)
    _, both = interval(scan, 0, 5, anchor_every=1)
    forward, flow = interval(scan, 0, 5, both=False, anchor_every=1)
    assert len(flow.asked) < len(both.asked)
    assert forward.carry_forward(5).after == -1


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_the_nearer_end_weighs_more(power):
    between, _ = interval(scanned(6), 0, 5, distance_power=power)
    weights = []
    for picture in range(1, 5):
        carried = between.carry(picture)
        assert (carried.picture, carried.before, carried.after) == (picture, 0, 5)
        weight = carried.weight
        assert weight is not None
        near = ((5 - picture) / 5) ** power
        np.testing.assert_allclose(weight[INSIDE], near / (near + (picture / 5) ** power), atol=0.02)
        weights.append(weight[INSIDE].mean())
        assert carried.unreliable < 0.35  # only what came in from outside
        assert np.median(carried.doubt[INSIDE]) < 0.05
    assert weights == sorted(weights, reverse=True)


def test_the_end_that_looks_alike_weighs_more():
    """Light goes on at the third picture: it looks like the last one."""
    between, _ = interval(scanned(6, light=[0, 0, 40, 40, 40, 40]), 0, 5)
    weight = between.carry(2).weight
    assert weight is not None
    assert weight[INSIDE].max() < 0.1
    before = between.carry(1).weight
    assert before is not None
    assert before[INSIDE].min() > 0.9


def test_what_looks_like_neither_end_is_in_doubt():
    plain, _ = interval(scanned(6), 0, 5)
    flashing, _ = interval(scanned(6, light=[0, 0, 0, 60, 0, 0]), 0, 5)
    assert flashing.carry(3).doubt[INSIDE].min() > plain.carry(3).doubt[INSIDE].max()
    assert flashing.carry(3).unreliable == pytest.approx(1, abs=0.2)
    assert flashing.carry(2).unreliable == plain.carry(2).unreliable
    assert flashing.carry_forward(3).unreliable == pytest.approx(1, abs=0.2)


def test_ends_vote_on_each_other_along_the_motion():
    between, _ = interval(scanned(4), 0, 3)
    for field, trust, way in ((*between.last_from_first(), -3), (*between.first_from_last(), 3)):
        inner = field[INSIDE][..., :2]
        np.testing.assert_allclose(inner, np.broadcast_to(way * CELLS, inner.shape), atol=1e-4)
        assert trust[INSIDE].min() > 0.9
    unlike, _ = interval(scanned(4, light=[0, 0, 0, 60]), 0, 3)
    assert unlike.last_from_first()[1][INSIDE].max() < 0.01


def test_neighbors_have_nothing_between_them():
    between, flow = interval(scanned(3), 1, 2)
    assert sorted(set(flow.asked)) == [(1, 2), (2, 1)]
    np.testing.assert_allclose(between.last_from_first()[0][INSIDE][..., 0], -CELLS[0], atol=1e-4)


def test_two_pictures_of_one_time_do_not_divide_by_zero():
    scan = scanned(5)
    scan.picture_seconds[:] = 1.0
    between, _ = interval(scan, 0, 4)
    for picture in range(1, 4):
        assert np.isfinite(between.carry(picture).to_before).all()


def test_still_is_where_it_was():
    carried = still(scanned(4), 3, 1)
    assert (carried.picture, carried.before, carried.after, carried.unreliable) == (3, 1, -1, 0.0)
    assert carried.to_before.shape == (HEIGHT // 2, WIDTH // 2, 2)
    assert not carried.to_before.any()
