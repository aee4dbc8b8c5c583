"""Scenes with an occlusion: what is hidden is hidden, and who looks alike is there."""

from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from vss_ray import datasets
from vss_ray.datasets import occlusion_cast
from vss_ray.datasets.occlusions import ALIKE, HEIGHT, TARGET, TIMING, WIDTH, OcclusionScene
from vss_ray.errors import ConfigError


def pixels(scene: OcclusionScene) -> np.ndarray:
    """(N, 4) pixels of each id, on every frame."""
    empty = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    maps = [scene.cast.paint(empty, number)[1] for number in range(scene.num_frames)]
    return np.array([np.bincount(ids.ravel(), minlength=4) for ids in maps])


@pytest.mark.parametrize("seed", range(0, 50, 3))
def test_the_target_is_seen_then_hidden_for_two_seconds_then_seen_again_or_not(seed):
    scene = OcclusionScene(seed)
    seen = pixels(scene)[:, TARGET]
    hidden = slice(TIMING.before, TIMING.before + TIMING.hidden)
    assert seen[hidden].max() == 0
    assert seen[: TIMING.before // 2].min() > 0.6 * seen[0] > 300
    assert (seen[hidden.stop :].max() > 0.5 * seen[0]) == scene.returns


def test_most_come_back():
    returning = [scene.returns for scene in datasets.load_tracked("occlusions", Path("50"), "test")]
    assert len(returning) == 50
    assert sum(returning) == 38


def test_somebody_who_looks_alike_is_there_while_the_target_is_hidden():
    for seed in range(0, 50, 7):
        others = pixels(OcclusionScene(seed))[:, ALIKE:].max(1)
        assert others[TIMING.before : TIMING.before + TIMING.hidden].max() > 200


def test_frames_hold_truth_and_travel_by_seed():
    scene = pickle.loads(pickle.dumps(OcclusionScene(4)))
    (frame, truth), (_, second) = islice(scene.frames(), 2)
    assert frame.size == truth.ids.shape == (HEIGHT, WIDTH)
    assert truth.boxes[TARGET] is not None
    again, _ = next(iter(OcclusionScene(4).frames()))
    assert np.array_equal(frame.rgb(HEIGHT, WIDTH), again.rgb(HEIGHT, WIDTH))
    assert not np.array_equal(truth.ids, second.ids)


def test_a_figure_beyond_the_picture_is_not_drawn():
    figure = occlusion_cast.Figure(np.full((20, 10, 4), 255, np.uint8), np.array([[-40.0, 50.0], [12.0, 30.0]]), 3)
    rgb, ids = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
    figure.paint(rgb, ids, 0)
    assert not rgb.any()
    assert not ids.any()
    figure.paint(rgb, ids, 1)
    assert np.argwhere(ids == 3).min(0).tolist() == [10, 7]
    assert np.argwhere(ids == 3).max(0).tolist() == [29, 16]


@pytest.mark.parametrize("count", ["0", "some/folder"])
def test_a_folder_is_no_number(count):
    with pytest.raises(ConfigError, match="give how many"):
        datasets.load_tracked("occlusions", Path(count), "test")


def test_seeds_that_are_reported_are_not_those_that_rules_are_chosen_on():
    tested, tuned = (
        {s.name for s in datasets.load_tracked("occlusions", Path("50"), split)} for split in ("test", "tune")
    )
    assert not tested & tuned
    with pytest.raises(ConfigError, match="no split 'val'"):
        datasets.load_tracked("occlusions", Path("1"), "val")
