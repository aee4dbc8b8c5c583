"""The search against its definition; the same bytes whether compiled on the spot or out of the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest

from vss_ray.flow import inverse_search

PATCH = 8

PROGRAM = """
import hashlib
import numpy as np
from vss_ray.flow import inverse_search
from vss_ray.ops import blend, fields
from vss_ray.ops.warp import blend_warped, sample, warp
from vss_ray.ops.upsample import upsample_labels

rng = np.random.default_rng(0)
here, there = (rng.integers(0, 256, (90, 120)).astype(np.uint8) for _ in range(2))
flow = inverse_search.build(inverse_search.Config())
found = flow(here, there)
again = flow(here, there, found)
scores = rng.random((90, 120, 5)).astype(np.float32)
mixed = blend_warped(scores, found, scores, again, rng.random((90, 120)).astype(np.float32))
labels = upsample_labels(warp(mixed, found), 300, 400)
ways = [fields.from_flow(flow(one, other), (45, 60)) for one, other in ((here, there), (there, here))]
for one, other in (ways, ways[::-1]):
    fields.set_round_trip(one, other)
ways.append(fields.follow_part(ways[0], 0.3, ways[1], fields.follow(ways[0], ways[1])))
colors = rng.integers(0, 256, (2, 45, 60, 4)).astype(np.uint8)
errors = [blend.photometric_error(*colors, way, 3) for way in ways[:2]]
limits = {"error_scale": 30.0, "inconsistency_scale": 8.0, "most_error": 16.0, "most_inconsistency": 8.0}
weight, doubt, _ = blend.weigh(tuple(errors), tuple(ways[:2]), (0.9, 0.5), **limits)
results = found, again, mixed, labels, *ways, *errors, weight, doubt, fields.halves(ways[2])
print(hashlib.sha256(b"".join(a.tobytes() for a in results)).hexdigest())
"""


@pytest.mark.slow
def test_cold_and_cached_code_give_the_same_bytes(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    answers = set()
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout)
        # What was cached first, and in which process, must not matter either: half of the cache is lost.
        for path in sorted(tmp_path.rglob("*.nbc"))[::2]:
            path.unlink()
    assert len(answers) == 1


def moving(size, dx, dy) -> Any:
    """Two pictures of a texture that moves as a whole, with some noise."""
    height, width = size
    rng = np.random.default_rng(0)
    large = cv2.GaussianBlur(rng.integers(0, 256, (height + 20, width + 20)).astype(np.float32), (0, 0), 2) * 3 - 255
    before = large[10 : 10 + height, 10 : 10 + width]
    after = cv2.warpAffine(large, np.array([[1.0, 0, dx], [0, 1.0, dy]]), (width + 20, height + 20))[10:-10, 10:-10]
    return [np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8) for picture in (before, after)]


class Reference:
    """The search as its paper and the docstrings have it, patch by patch, in double precision."""

    def __init__(self, stride: int, iterations: int) -> None:
        self.stride, self.iterations = stride, iterations

    def __call__(self, here, there):
        scales = [(here.astype(np.float32), there.astype(np.float32))]
        while min(scales[-1][0].shape) // 2 >= 16:
            height, width = scales[-1][0].shape
            size = (width // 2, height // 2)
            scales.append(tuple(cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in scales[-1]))  # type: ignore[arg-type]
        flow: Any = np.zeros((*scales[-1][0].shape, 2))
        for one, other in reversed(scales):
            height, width = one.shape
            factor = width / flow.shape[1], height / flow.shape[0]
            flow = self.solve(one, other, cv2.resize(flow, (width, height)) * factor)
        return flow

    def solve(self, here: Any, there: Any, guess: Any) -> Any:
        height, width = self.shape = here.shape
        padded = np.pad(here, 1, "edge").astype(np.float64)
        self.here, self.there = here.astype(np.float64), np.pad(there, 16, "edge").astype(np.float64)
        self.across, self.down = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
        self.rows = sorted({*range(0, height - PATCH, self.stride), height - PATCH})
        self.columns = sorted({*range(0, width - PATCH, self.stride), width - PATCH})
        patches = list(product(range(len(self.rows)), range(len(self.columns))))
        u, error = np.zeros((len(self.rows), len(self.columns), 2)), np.zeros((len(self.rows), len(self.columns)))
        for i, j in patches:
            start = guess[self.rows[i] + 4, self.columns[j] + 4]
            self.improve(i, j, u, error, start, self.misfit(i, j, start), ((i, j - 1), (i - 1, j)), True)
        for i, j in reversed(patches):
            self.improve(i, j, u, error, u[i, j].copy(), error[i, j], ((i, j + 1), (i + 1, j)), False)
        total, weights = np.zeros((height, width, 2)), np.zeros((height, width, 1))
        for i, j in patches:
            weight = 1 / np.maximum(1, np.abs(self.residual(i, j, u[i, j])))[..., None]
            total[self.patch(i, j)] += weight * u[i, j]
            weights[self.patch(i, j)] += weight
        return total / weights

    def improve(self, i, j, u, error, start, misfit, neighbors, is_new):
        for other in neighbors:
            if 0 <= other[0] < len(self.rows) and 0 <= other[1] < len(self.columns):
                candidate = u[other].copy()
                if np.sum((candidate - start) ** 2) > 0.01 and self.misfit(i, j, candidate) < misfit:
                    start, misfit, is_new = candidate, self.misfit(i, j, candidate), True
        if is_new:
            found = self.descend(i, j, start)
            if np.sum((found - start) ** 2) <= PATCH**2 and self.misfit(i, j, found) < misfit:
                start, misfit = found, self.misfit(i, j, found)
        u[i, j], error[i, j] = start, misfit

    def descend(self, i, j, u):
        gradient = np.stack([self.across[self.patch(i, j)].ravel(), self.down[self.patch(i, j)].ravel()])
        hessian = gradient @ gradient.T + 1e-3 * np.eye(2)
        for _ in range(self.iterations):
            step = np.linalg.solve(hessian, gradient @ self.residual(i, j, u).ravel())
            u = u - step
            if np.sum(step**2) < 0.01:
                break
        return u

    def patch(self, i, j):
        return np.s_[self.rows[i] : self.rows[i] + PATCH, self.columns[j] : self.columns[j] + PATCH]

    def misfit(self, i, j, u):
        return np.sum(self.residual(i, j, u) ** 2)

    def residual(self, i, j, u):
        height, width = self.shape
        column = np.clip(self.columns[j] + u[0], -PATCH, width) + 16
        row = np.clip(self.rows[i] + u[1], -PATCH, height) + 16
        left, top = int(column), int(row)
        fx, fy = column - left, row - top
        area = self.there[top : top + PATCH + 1, left : left + PATCH + 1]
        area = (1 - fx) * area[:, :-1] + fx * area[:, 1:]
        return (1 - fy) * area[:-1] + fy * area[1:] - self.here[self.patch(i, j)]


@pytest.mark.parametrize(("stride", "iterations"), [(5, 3), (8, 1), (3, 4)])
@pytest.mark.parametrize("size", [(45, 64), (16, 37), (33, 16)])
def test_the_search_is_its_definition(size, stride, iterations):
    before, after = moving(size, 2.6, -1.3)
    found = inverse_search.build(inverse_search.Config(stride=stride, iterations=iterations))(before, after)
    wanted = Reference(stride, iterations)(before, after)
    error = np.linalg.norm(found - wanted, axis=-1)
    # Where two places fit alike, rounding chooses.
    assert np.median(error) < 1e-3
    assert np.mean(error < 0.02) > 0.97


@pytest.mark.parametrize("size", [(45, 64), (9, 40), (7, 7)])
@pytest.mark.parametrize("is_guessed", [False, True])
def test_what_was_looked_at_once_answers_as_the_pictures_do(size, is_guessed):
    flow = inverse_search.build(inverse_search.Config())
    before, after = moving(size, 1.5, 0.5)
    guess = np.full((*size, 2), 1, np.float32) if is_guessed else None
    wanted = flow(before, after, guess)
    seen, other = flow.look(before), flow.look(after)
    before[:], after[:] = 0, 0  # nothing is kept of the arrays
    for one, two in ((seen, other), (seen, other)):
        np.testing.assert_array_equal(flow(one, two, guess), wanted)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_a_guess_that_is_no_number_reads_nothing_outside(number):
    flow = inverse_search.build(inverse_search.Config())
    before, after = moving((40, 50), 1, 1)
    assert flow(before, after, np.full((40, 50, 2), number, np.float32)).shape == (40, 50, 2)
