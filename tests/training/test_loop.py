"""The training loop: it learns, and an interrupted run ends where an undisturbed one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vss_ray.errors import ModelError
from vss_ray.training import loop

STEPS = 3
CONFIG = loop.Config(epochs=2, batch=4, learning_rate=0.01, ema=0.9)


class Tiny(nn.Module):
    """An encoder and a head, with running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return self.head(self.encoder(x))


def network() -> Tiny:
    torch.manual_seed(3)
    return Tiny()


def batches(epoch: int):
    """Which channel is larger; depends on the epoch's number alone."""
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(STEPS):
        images = torch.rand(4, 3, 8, 8, generator=generator)
        yield images, (images[:, 0] > images[:, 1]).long()


def loss(network: nn.Module, batch: Any):
    images, labels = batch
    return nn.functional.cross_entropy(network(images).float(), labels)


def fit(checkpoint: Path, config: loop.Config = CONFIG, feed: Any = batches) -> tuple[nn.Module, nn.Module]:
    """The moving average, and the network as the last step left it."""
    trained = network()
    return loop.fit(trained, feed, loss, config, steps_per_epoch=STEPS, checkpoint=checkpoint), trained


def assert_same(one: nn.Module, two: nn.Module) -> None:
    ours, theirs = one.state_dict(), two.state_dict()
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


class Interrupted(Exception):
    """Somebody pulled the plug."""


def interrupted(epoch: int):
    """The first epoch as it is; the second breaks off after a step."""
    for i, batch in enumerate(batches(epoch)):
        if epoch == 1 and i == 1:
            raise Interrupted
        yield batch


def test_a_resumed_run_ends_where_an_undisturbed_one_does(tmp_path):
    undisturbed = fit(tmp_path / "one.checkpoint")
    path = tmp_path / "folder" / "two.checkpoint"
    with pytest.raises(Interrupted):
        fit(path, feed=interrupted)
    assert path.exists()
    asked = []

    def remembering(epoch):
        asked.append(epoch)
        return batches(epoch)

    resumed = fit(path, feed=remembering)
    assert asked == [1]
    for ours, theirs in zip(resumed, undisturbed, strict=True):
        assert_same(ours, theirs)
    assert sorted(file.name for file in path.parent.iterdir()) == ["two.checkpoint"]


def test_a_finished_run_is_not_trained_again(tmp_path):
    path = tmp_path / "done.checkpoint"
    first, _ = fit(path)

    def nothing_to_do(epoch):
        raise AssertionError("asked for a batch")

    again, _ = fit(path, feed=nothing_to_do)
    assert_same(again, first)


def test_two_runs_are_the_same(tmp_path):
    assert_same(fit(tmp_path / "one")[0], fit(tmp_path / "two")[0])


def test_what_comes_back_is_the_average_ready_to_run(tmp_path):
    average, last = fit(tmp_path / "checkpoint")
    assert not average.training
    assert isinstance(average, Tiny)
    assert not torch.equal(average.head.weight, last.head.weight)  # type: ignore[union-attr]
    slow, _ = fit(tmp_path / "slow", replace(CONFIG, ema=0.999999))
    fast, last = fit(tmp_path / "fast", replace(CONFIG, ema=0.0))
    torch.testing.assert_close(fast.head.weight, last.head.weight)  # type: ignore[union-attr]
    torch.testing.assert_close(slow.head.weight, network().head.weight, atol=0.02, rtol=0)  # type: ignore[union-attr]


def test_it_learns(tmp_path):
    config = loop.Config(epochs=30, learning_rate=0.05, ema=0.9)
    average, _ = fit(tmp_path / "checkpoint", config)
    images, labels = next(batches(99))
    assert (average(images).argmax(1) == labels).float().mean() > 0.9


def test_pretrained_parameters_move_less(tmp_path):
    start = network().state_dict()

    def moved(factor):
        _, trained = fit(tmp_path / str(factor), replace(CONFIG, pretrained_factor=factor, weight_decay=0.0))
        return (trained.state_dict()["encoder.0.weight"] - start["encoder.0.weight"]).abs().mean()

    assert moved(0.01) < moved(1.0) / 5


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    fit(path)
    with pytest.raises(ModelError, match=r"checkpoint was made with .*'epochs': 2.*not .*'epochs': 3.*delete it"):
        fit(path, replace(CONFIG, epochs=3))
