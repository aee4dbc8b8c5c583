"""A figure knows its repeats, its goal, and how it is read."""

from __future__ import annotations

import pytest

from vss_ray.cluster.benchmark.figures import Figure, Result, ratios


@pytest.mark.parametrize(
    ("unit", "values", "cell", "text"),
    [
        ("x", (31.0, 33.0, 32.5), "32.5 ± 1.0 x", "32.5 ± 1.0 x"),
        ("share", (0.42,), "42.0 %", "42.0 %"),
        ("core ms", (2.0, 2.5), "2.25 ± 0.25", "2.25 ± 0.25 core ms"),
        ("frames/s", (1234.5,), "1,234", "1,234 frames/s"),
    ],
)
def test_cells_hold_the_median_and_half_the_spread(unit, values, cell, text):
    figure = Figure(case="a", name="b", unit=unit, values=values)
    assert (figure.cell, figure.text) == (cell, text)


@pytest.mark.parametrize(("better", "met"), [("more", True), ("less", False)])
def test_a_goal_is_reached_from_its_own_side(better, met):
    figure = Figure(case="a", name="b", unit="x", values=(3.0, 5.0, 9.0), better=better, goal=4.0)
    assert figure.met is met
    assert figure.wanted == ("at least 4 x" if met else "at most 4 x")
    assert Figure(case="a", name="b", unit="x", values=(3.0,)).met is None


def test_ratios_are_taken_round_by_round():
    assert ratios([10.0, 30.0], [5.0, 10.0]) == (2.0, 3.0)


def test_results_survive_json_and_keys_of_later_versions():
    result = Result([Figure(case="a", name="b", unit="s", values=(1.0, 2.0), goal=3.0, better="less")], ["A note."])
    content = result.to_dict()
    content["figures"][0]["later"] = 1
    assert Result.from_dict(content) == result
