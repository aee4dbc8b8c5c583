"""Which operating points stand in a table, and against what."""

from __future__ import annotations

import pytest

from vss_ray import config
from vss_ray.errors import ConfigError
from vss_ray.evaluation.variants import baseline_of, num_phases, variants


def test_a_point_as_it_is_after_its_baseline():
    points, baselines = variants(["evs"], [], [])
    assert [*points] == ["per_frame", "evs"]
    assert points["evs"] == config.load("evs")
    assert points["per_frame"].method.name == "per_frame"
    assert baselines == {"per_frame": "per_frame", "evs": "per_frame"}


def test_distances_with_both_directions():
    points, _ = variants(["evs"], ["segmenter.short_side=352"], [2, 5])
    assert [*points] == [
        "per_frame", "evs, both, every 2", "evs, both, every 5", "evs, forward, every 2", "evs, forward, every 5",
    ]  # fmt: skip
    assert {point.segmenter.config.short_side for point in points.values()} == {352}
    last = points["evs, forward, every 5"]
    assert (last.method.config.direction, last.keyframes.config.every) == ("forward", 5)


def test_the_baseline_alone_stands_once():
    points, _ = variants(["per_frame"], ["segmenter.short_side=352"], [2])
    assert [*points] == ["per_frame"]
    assert points["per_frame"].segmenter.config.short_side == 352


def test_every_network_has_its_own_baseline(tmp_path):
    (tmp_path / "small.yaml").write_text("{method: evs, segmenter: {name: builtin, short_side: 352}, audit: 0.5}")
    small = str(tmp_path / "small.yaml")
    points, baselines = variants(["evs", small, "evs"], [], [])
    assert [*points] == ["per_frame", "evs", f"per_frame of {small}", small]
    assert baselines[small] == f"per_frame of {small}"
    assert points[f"per_frame of {small}"].audit == 0


def test_what_else_a_point_chooses_does_not_matter_to_its_baseline():
    other = config.load("evs", ["keyframes.every=3", "flow.name=dis", "cut_threshold=5", "clip_seconds=2"])
    assert baseline_of(other) == baseline_of(config.load("evs")) == baseline_of(config.load("per_frame"))


def test_phases():
    assert num_phases(config.load("evs", ["keyframes.every=4"])) == 4
    assert num_phases(config.load("per_frame")) == num_phases(config.load("lmanet")) == 1
    for schedule in (["keyframes.name=aks"], ["keyframes.every=null", "keyframes.every_seconds=1"]):
        with pytest.raises(ConfigError, match="a keyframe every so many pictures"):
            num_phases(config.load("evs", schedule))
