"""The table and the curve of a training."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.training.history import COLORS, draw_curve, ticks, write_curve, write_table


def rows(count: int, **options: float):
    return [
        {
            "epoch": i + 1,
            "loss": 3.0 / (i + 1),
            "lovasz": 1.0 / (i + 1),
            "learning_rate": 1e-3,
            "seconds": 2.0,
            **options,
        }
        for i in range(count)
    ]


def test_the_table_holds_the_numbers(tmp_path):
    write_table(tmp_path / "a.csv", rows(3))
    with (tmp_path / "a.csv").open() as file:
        read = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert read == rows(3)


def covered(picture, color):
    return np.argwhere((picture.astype(int) - color == 0).all(2))


def test_the_curve_falls_with_the_loss():
    picture = draw_curve(rows(20))
    second = covered(picture, COLORS[1])
    line = second[(second[:, 1] > 95) & (second[:, 1] < 700)]  # left of the legend
    tops = [line[line[:, 1] == column][:, 0].min() for column in (150, 300, 600)]
    assert tops == sorted(tops)
    assert tops[0] < tops[2] - 30


@pytest.mark.parametrize("given", [rows(1), rows(2), rows(3, loss=0.0, lovasz=0.0), rows(300), rows(4, loss=-2.0)])
def test_any_history_can_be_drawn(tmp_path, given):
    write_curve(tmp_path / "curve.png", given)
    picture = cv2.imread(str(tmp_path / "curve.png"))
    assert picture is not None
    assert len(covered(picture, COLORS[1])) > 20


@settings(deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e4))
def test_ticks_are_few_round_and_inside(low, size):
    places = ticks(low, low + size)
    assert 1 <= len(places) <= 8
    assert all(low - size * 1e-6 <= place <= low + size * (1 + 1e-6) for place in places)
    if len(places) > 2:
        steps = np.diff(places)
        np.testing.assert_allclose(steps, steps[0], rtol=1e-3)


def test_ticks_one_knows():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(1, 120) == [20, 40, 60, 80, 100, 120]
