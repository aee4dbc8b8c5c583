"""Displacements from picture to picture, composed on the way to a keyframe."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.ops.motion import Step, advance, chain, part_of, steps_between
from vss_ray.ops.warp import compose

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
    return Step(constant(vector, GRID), np.full(GRID, inconsistency, np.float32))


def test_steps_lead_back_and_onward():
    pictures = moving(4)
    back, onward = steps_between(pictures, KnownFlow(pictures), GRID)
    assert len(back) == len(onward) == 3
    for there, here in zip(back, onward, strict=True):
        # What moves right was left of here before; half the grid, half the vectors.
        np.testing.assert_allclose(there.displacement, constant(-SPEED / 2, GRID))
        np.testing.assert_allclose(here.displacement, constant(SPEED / 2, GRID))
        np.testing.assert_allclose([there.inconsistency, here.inconsistency], 0, atol=1e-6)


def test_inconsistency_is_how_far_the_way_back_misses():
    pictures = moving(2)

    def flow(here, there, initial=None):
        return constant((6, 8) if here is pictures[0] else (0, 0), (HEIGHT, WIDTH))

    back, onward = steps_between(pictures, flow, GRID)
    np.testing.assert_allclose(back[0].inconsistency, 5)
    np.testing.assert_allclose(onward[0].inconsistency, 5)


def test_one_picture_has_no_steps():
    pictures = moving(1)
    assert steps_between(pictures, KnownFlow(pictures), GRID) == ([], [])


@pytest.mark.parametrize("anchor_every", [0, 1, 2, 3])
def test_a_chain_of_translations_adds_up(anchor_every):
    pictures = moving(7)
    flow = KnownFlow(pictures)
    back, _ = steps_between(pictures, flow, GRID)
    flow.asked.clear()
    fields = chain(pictures[0], pictures[1:], back, flow, anchor_every)
    assert len(fields) == 7
    for i, field in enumerate(fields):
        np.testing.assert_allclose(field, constant([*(-i * SPEED / 2), 0], GRID), atol=1e-4)
    assert flow.asked == [(i, 0) for i in range(1, 7) if anchor_every and i % anchor_every == 0]


def test_costs_add_up_along_the_way():
    pictures = moving(4)
    steps = [step((1, 0), 0.5), step((1, 0), 0.25), step((-2, 0), 0.125)]
    fields = chain(pictures[0], pictures[1:], steps, KnownFlow(pictures), 0)
    assert [field[5, 5].tolist() for field in fields] == [[0, 0, 0], [1, 0, 0.5], [2, 0, 0.75], [0, 0, 0.875]]


def test_a_direct_search_ends_a_drift():
    pictures = moving(5)
    flow = KnownFlow(pictures)
    drifting = [step(-SPEED / 2 + (0.25, 0)) for _ in range(4)]
    inside = np.s_[6:-6, 6:-6]
    truth = -4 * SPEED / 2
    adrift = chain(pictures[0], pictures[1:], drifting, flow, 0)[4][inside]
    anchored = chain(pictures[0], pictures[1:], drifting, flow, 4)[4][inside]
    np.testing.assert_allclose(adrift[..., 0] - truth[0], 1, atol=1e-4)
    assert np.median(np.abs(anchored[..., :2] - truth)) < 0.01


def test_a_direct_search_that_fails_is_not_believed():
    pictures = moving(5)
    steps, _ = steps_between(pictures, KnownFlow(pictures), GRID)

    def lost(here, there, initial=None):
        return constant((9, 9), (HEIGHT, WIDTH))

    field = chain(pictures[0], pictures[1:], steps, lost, 4)[4]
    inside = np.s_[8:-8, 8:-8]
    assert np.median(np.abs(field[inside][..., :2] + 4 * SPEED / 2)) < 0.01


def test_a_direct_search_starts_from_what_was_composed():
    pictures = moving(2)
    guesses: list[Any] = []

    def flow(here, there, initial: Any = None):
        guesses.append(initial)
        return initial

    chain(pictures[0], pictures[1:], [step((1, 2))], flow, 1)
    np.testing.assert_allclose(guesses[0], constant((2, 4), (HEIGHT, WIDTH)))


def test_advance_composes_and_leaves_its_neighbor_alone():
    rng = np.random.default_rng(0)
    travelled = rng.normal(0, 2, (*GRID, 3)).astype(np.float32)
    kept = travelled.copy()
    following = Step(rng.normal(0, 2, (*GRID, 2)).astype(np.float32), rng.random(GRID, np.float32))
    advanced = advance(travelled, following)
    wanted = compose(following.displacement, kept)
    wanted[..., 2] += following.inconsistency
    np.testing.assert_array_equal(advanced, wanted)
    np.testing.assert_array_equal(travelled, kept)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_part_of_an_even_motion(share):
    part = part_of(step((4, -2), 0.5), share, step((-4, 2)))
    np.testing.assert_allclose(part.displacement, constant((4 * share, -2 * share), GRID), atol=1e-6)
    np.testing.assert_allclose(part.inconsistency, 0.5 * share, atol=1e-6)
    assert part.displacement.dtype == part.inconsistency.dtype == np.float32


def test_part_of_a_motion_is_read_where_the_point_is():
    """A zoom: a point moves the faster the farther out it is, so its speed here is not its speed there."""
    zoom, share = 1.2, 0.5
    center = np.array([GRID[1], GRID[0]]) / 2
    out = (np.stack(np.meshgrid(np.arange(GRID[1]), np.arange(GRID[0])), -1) - center).astype(np.float32)
    none = np.zeros(GRID, np.float32)
    to_near, to_far = Step((1 / zoom - 1) * out, none), Step((zoom - 1) * out, none)
    part = part_of(to_near, share, to_far).displacement
    between = 1 + (1 - share) * (1 / zoom - 1)  # a point at p on the far picture is at between * p here
    truth = share * (1 / zoom - 1) * out / between
    inside = np.s_[3:-3, 3:-3]
    error = np.abs(part - truth)[inside].max()
    assert error < 0.02
    assert error < np.abs(share * to_near.displacement - truth)[inside].max() / 5
