"""A teacher: sure or silent, the same answer from its cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vss_ray.training.teacher import Config, Teacher

PLAIN = Config(short_sides=(64,), mirrored=False)


class Brightest(nn.Module):
    """Scores each pixel by its three channels; counts how often it is asked."""

    def __init__(self, sharpness: float = 20.0) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(sharpness))
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(x.shape))
        return nn.functional.avg_pool2d(x, 4) * self.sharpness


def pictures(count: int = 3, height: int = 64, width: int = 96) -> Any:
    """The left third is red, the middle green, the right blue."""
    images = np.full((count, height, width, 3), 110, np.uint8)
    for channel in range(3):
        images[:, :, channel * width // 3 : (channel + 1) * width // 3, channel] = 200
    return images


@pytest.mark.parametrize("mirrored", [False, True])
def test_labels_are_where_the_network_says(mirrored):
    config = Config(short_sides=(64, 96), mirrored=mirrored)
    labels = Teacher(Brightest(), config)(pictures())
    assert (labels.shape, labels.dtype) == ((3, 64, 96), np.uint8)
    for channel in range(3):
        assert (labels[:, :, channel * 32 + 6 : channel * 32 + 26] == channel).all()


def test_unsure_is_void():
    assert (Teacher(Brightest(sharpness=0.0), PLAIN)(pictures()) == 255).all()
    # A third each at no sharpness: a threshold below that lets all pass.
    assert (Teacher(Brightest(sharpness=0.0), Config(short_sides=(64,), threshold=0.3))(pictures()) != 255).all()
    at_borders = Teacher(Brightest(2.0), PLAIN)(pictures())
    assert (at_borders == 255).any()


def test_every_size_and_side_is_asked_in_batches():
    network = Brightest()
    Teacher(network, Config(short_sides=(64, 100), batch=2))(pictures(3))
    sizes = [(64, 96), (64, 96), (96, 160), (96, 160)]
    assert network.shapes == [(count, 3, *size) for count in (2, 1) for size in sizes]


def test_no_gradient_and_no_training():
    network = Brightest().train()
    Teacher(network, PLAIN)(pictures())
    assert not network.training
    assert network.sharpness.grad is None


def test_the_cache_answers_the_same_question_only(tmp_path):
    folder = tmp_path / "answers"
    network = Brightest()
    first = Teacher(network, PLAIN, cache=folder)(pictures())
    asked = len(network.shapes)
    again = Brightest()
    np.testing.assert_array_equal(Teacher(again, PLAIN, cache=folder)(pictures()), first)
    assert not again.shapes
    for other, config, images in (
        (Brightest(21.0), PLAIN, pictures()),
        (Brightest(), Config(short_sides=(64,), mirrored=True), pictures()),
        (Brightest(), PLAIN, pictures()[:, ::-1].copy() // 2),
    ):
        Teacher(other, config, cache=folder)(images)
        assert other.shapes
    assert len(network.shapes) == asked
    assert len([*folder.iterdir()]) == 4


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"nonsense"])
def test_a_damaged_answer_is_made_again(tmp_path, damage):
    first = Teacher(Brightest(), PLAIN, cache=tmp_path)(pictures())
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    np.testing.assert_array_equal(Teacher(Brightest(), PLAIN, cache=tmp_path)(pictures()), first)
    with np.load(path, allow_pickle=False) as content:
        np.testing.assert_array_equal(content["labels"], first)


def test_an_answer_to_other_pictures_is_not_taken(tmp_path):
    Teacher(Brightest(), PLAIN, cache=tmp_path)(pictures())
    (path,) = tmp_path.iterdir()
    np.savez(path, labels=np.zeros((1, 2, 3), np.uint8))
    assert Teacher(Brightest(), PLAIN, cache=tmp_path)(pictures()).shape == (3, 64, 96)


def test_without_a_cache_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Teacher(Brightest(), PLAIN)(pictures())
    assert not [*Path().iterdir()]
