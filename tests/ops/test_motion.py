"""Displacements from picture to picture, composed on the way to a keyframe."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.ops import fields
from vss_ray.ops.motion import chain, steps_between, view

HEIGHT, WIDTH = 48, 64
GRID = (24, 32)
SPEED = np.array([2, -1])
"""Content moves right and up, pixels a picture."""


def moving(num_pictures) -> Any:
    """A texture that moves by SPEED; window i of a larger one."""
    large = np.random.default_rng(0).integers(0, 256, (HEIGHT + 80, WIDTH + 80)).astype(np.uint8)
    large = cv2.GaussianBlur(large, (0, 0), 1.5)
    corners = [np.array([40, 40]) - i * SPEED for i in range(num_pictures)]
    return [np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH]) for x, y in corners]


class KnownFlow:
    """The truth about ``moving``, told by the pictures' identity."""

    def __init__(self, pictures):
        self.number = {id(picture): i for i, picture in enumerate(pictures)}
        self.asked = []

    def __call__(self, here, there, initial=None):
        here, there = self.number[id(here)], self.number[id(there)]
        self.asked.append((here, there))
        return constant((there - here) * SPEED, (HEIGHT, WIDTH))


def constant(vector, size):
    return np.broadcast_to(np.asarray(vector, np.float32), (*size, len(vector))).copy()


def step(vector, inconsistency=0.0):
    return constant((*vector, inconsistency, 0), GRID)


def views(pictures, flow):
    return [view(picture, flow) for picture in pictures]


def test_steps_lead_back_and_onward():
    pictures = moving(4)
    flow = KnownFlow(pictures)
    back, onward = steps_between(views(pictures, flow), flow, GRID)
    assert len(back) == len(onward) == 3
    for there, here in zip(back, onward, strict=True):
        # What moves right was left of here before; half the grid, half the vectors.
        np.testing.assert_allclose(there, step(-SPEED / 2), atol=1e-6)
        np.testing.assert_allclose(here, step(SPEED / 2), atol=1e-6)


def test_inconsistency_is_how_far_the_way_back_misses():
    pictures = moving(2)

    def flow(here, there, initial=None):
        return constant((6, 8) if here is pictures[0] else (0, 0), (HEIGHT, WIDTH))

    back, onward = steps_between(views(pictures, flow), flow, GRID)
    np.testing.assert_allclose(back[0][..., 2], 5)
    np.testing.assert_allclose(onward[0][..., 2], 5)


def test_one_picture_has_no_steps():
    pictures = moving(1)
    flow = KnownFlow(pictures)
    assert steps_between(views(pictures, flow), flow, GRID) == ([], [])


def test_a_flow_that_looks_is_given_what_it_saw():
    pictures = moving(3)

    class Looking(KnownFlow):
        looked = 0

        def look(self, picture):
            self.looked += 1
            return (picture, "seen")

        def __call__(self, here, there, initial=None):
            assert here[1] == there[1] == "seen"
            return super().__call__(here[0], there[0], initial)

    flow, plain = Looking(pictures), KnownFlow(pictures)
    seen = views(pictures, flow)
    back, _ = steps_between(seen, flow, GRID)
    np.testing.assert_array_equal(back, steps_between(views(pictures, plain), plain, GRID)[0])
    chain(seen, back, flow, 1)
    assert flow.looked == 3


@pytest.mark.parametrize("anchor_every", [0, 1, 2, 3])
def test_a_chain_of_translations_adds_up(anchor_every):
    pictures = moving(7)
    flow = KnownFlow(pictures)
    seen = views(pictures, flow)
    back, _ = steps_between(seen, flow, GRID)
    flow.asked.clear()
    travelled = chain(seen, back, flow, anchor_every)
    assert len(travelled) == 7
    for i, field in enumerate(travelled):
        np.testing.assert_allclose(field, step(-i * SPEED / 2), atol=1e-4)
    assert flow.asked == [(i, 0) for i in range(1, 7) if anchor_every and i % anchor_every == 0]


def test_costs_add_up_along_the_way():
    pictures = moving(4)
    flow = KnownFlow(pictures)
    steps = [step((1, 0), 0.5), step((1, 0), 0.25), step((-2, 0), 0.125)]
    travelled = chain(views(pictures, flow), steps, flow, 0)
    assert [field[5, 5, :3].tolist() for field in travelled] == [[0, 0, 0], [1, 0, 0.5], [2, 0, 0.75], [0, 0, 0.875]]


def test_a_direct_search_ends_a_drift():
    pictures = moving(5)
    flow = KnownFlow(pictures)
    drifting = [step(-SPEED / 2 + (0.25, 0)) for _ in range(4)]
    inside = np.s_[6:-6, 6:-6]
    truth = -4 * SPEED / 2
    seen = views(pictures, flow)
    adrift = chain(seen, drifting, flow, 0)[4][inside]
    anchored = chain(seen, drifting, flow, 4)[4][inside]
    np.testing.assert_allclose(adrift[..., 0] - truth[0], 1, atol=1e-4)
    assert np.median(np.abs(anchored[..., :2] - truth)) < 0.01


def test_a_direct_search_that_fails_is_not_believed():
    pictures = moving(5)
    known = KnownFlow(pictures)
    steps, _ = steps_between(views(pictures, known), known, GRID)

    def lost(here, there, initial=None):
        return constant((9, 9), (HEIGHT, WIDTH))

    field = chain(views(pictures, lost), steps, lost, 4)[4]
    inside = np.s_[8:-8, 8:-8]
    assert np.median(np.abs(field[inside][..., :2] + 4 * SPEED / 2)) < 0.01


def test_a_direct_search_starts_from_what_was_composed():
    pictures = moving(2)
    guesses: list[Any] = []

    def flow(here, there, initial: Any = None):
        guesses.append(initial)
        return initial

    chain(views(pictures, flow), [step((1, 2))], flow, 1)
    np.testing.assert_allclose(guesses[0], constant((2, 4), (HEIGHT, WIDTH)))


def test_what_was_travelled_is_left_alone():
    pictures = moving(3)
    flow = KnownFlow(pictures)
    rng = np.random.default_rng(0)
    steps = [rng.normal(0, 2, (*GRID, 4)).astype(np.float32) for _ in range(2)]
    given = [each.copy() for each in steps]
    first, second, third = chain(views(pictures, flow), steps, flow, 0)
    assert not first.any()
    np.testing.assert_array_equal(second, steps[0])
    np.testing.assert_array_equal(third, fields.follow(steps[1], steps[0]))
    np.testing.assert_array_equal(steps, given)
