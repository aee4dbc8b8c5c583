"""The training loop: it learns, and an interrupted run ends where an undisturbed one does."""

from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vss_ray.errors import ModelError
from vss_ray.networks import factory
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


def fit(
    checkpoint: Path,
    config: loop.Config = CONFIG,
    feed: Any = batches,
    learner: nn.Module | None = None,
    loss: Any = loss,
) -> tuple[nn.Module, nn.Module]:
    """The moving average, and the network as the last step left it."""
    trained = learner or network()
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
    assert sorted(file.name for file in path.parent.iterdir()) == ["two.checkpoint", "two.csv", "two.png"]
    with (path.parent / "two.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(float(row["loss"]) > 0 and float(row["learning_rate"]) > 0 for row in rows)


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
    fast, last = fit(tmp_path / "fast", replace(CONFIG, ema=0.0))
    torch.testing.assert_close(fast.head.weight, last.head.weight)  # type: ignore[union-attr]


def test_the_average_of_a_short_training_holds_none_of_the_noise_it_began_with():
    update = loop._moving_average(0.998)
    average, count = torch.full((3,), 1000.0), torch.tensor(7)
    for step in range(1, 60):
        update([average], [torch.ones(3)], step)
        update([count], [torch.tensor(step)], step)
    torch.testing.assert_close(average, torch.ones(3), atol=1e-2, rtol=0)
    assert count == 59
    update([average], [torch.zeros(3)], 10**6)
    torch.testing.assert_close(average, torch.full((3,), 0.998), atol=1e-2, rtol=0)


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


def test_the_encoder_is_found_whatever_its_public_name():
    bisenet: Any = factory.build("bisenet", "", 5, 32)
    fresh, slow = loop._parameter_groups(bisenet, replace(CONFIG, learning_rate=0.1, pretrained_factor=0.5))
    assert {*slow["params"]} == {*bisenet.cp.resnet.parameters()}
    assert len(fresh["params"]) + len(slow["params"]) == len([*bisenet.parameters()])
    assert (fresh["lr"], slow["lr"]) == (0.1, 0.05)


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path):
    path = tmp_path / "checkpoint"
    fit(path)
    with pytest.raises(ModelError, match=r"checkpoint was made with .*'epochs': 2.*not .*'epochs': 3.*delete it"):
        fit(path, replace(CONFIG, epochs=3))


class OnFrozen(Tiny):
    """A head on an encoder that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder.requires_grad_(False)

    def train(self, mode: bool = True):
        super().train(mode)
        self.encoder.eval()
        return self


def on_frozen() -> OnFrozen:
    torch.manual_seed(3)
    return OnFrozen()


def test_what_is_frozen_stays_and_is_not_in_the_checkpoint(tmp_path):
    path = tmp_path / "frozen.checkpoint"
    average, last = fit(path, learner=on_frozen())
    for trained in (average, last):
        assert_same(trained.encoder, on_frozen().encoder)  # type: ignore[arg-type]
        assert not torch.equal(trained.head.weight, on_frozen().head.weight)  # type: ignore[union-attr]
    state = torch.load(path, weights_only=True)
    names = {*state["network"], *state["average"]}
    assert not {name for name in names if "encoder" in name and not name.endswith(STATISTICS)}
    assert len(state["optimizer"]["state"]) == 2  # the weight and the bias of the head


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def test_a_resumed_run_on_a_frozen_part_ends_where_an_undisturbed_one_does(tmp_path):
    undisturbed = fit(tmp_path / "one", learner=on_frozen())
    with pytest.raises(Interrupted):
        fit(tmp_path / "two", feed=interrupted, learner=on_frozen())
    for ours, theirs in zip(fit(tmp_path / "two", learner=on_frozen()), undisturbed, strict=True):
        assert_same(ours, theirs)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    fit(tmp_path / "tiny")
    with pytest.raises(ModelError, match="tiny belongs to another network, or other parts of it; delete it"):
        fit(tmp_path / "tiny", learner=on_frozen())
    wide = network()
    wide.head = nn.Conv2d(8, 3, 1)
    with pytest.raises(ModelError, match="tiny belongs to another network"):
        fit(tmp_path / "tiny", learner=wide)


def in_parts(network: nn.Module, batch: Any):
    value = loss(network, batch)
    return {"loss": value + 2, "cross_entropy": value, "offset": torch.tensor(2.0)}


def test_parts_of_a_loss_are_told_apart_and_change_nothing(tmp_path):
    average, _ = fit(tmp_path / "parts", loss=in_parts)
    assert_same(average, fit(tmp_path / "whole")[0])
    with (tmp_path / "parts.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert list(rows[0]) == ["epoch", "loss", "cross_entropy", "offset", "learning_rate", "seconds"]
    for row in rows:
        assert float(row["loss"]) == pytest.approx(float(row["cross_entropy"]) + 2)
        assert float(row["offset"]) == 2


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_loss_that_is_not_finite_ends_the_training(tmp_path, value):
    asked = []

    def diverging(network, batch):
        asked.append(1)
        return loss(network, batch) * (float(value) if len(asked) == STEPS + 2 else 1.0)

    with pytest.raises(
        ModelError, match=rf"the loss is {value} at step 2 of epoch 2; delete .*c\.checkpoint and start"
    ):
        fit(tmp_path / "c.checkpoint", loss=diverging)


def test_without_a_terminal_every_epoch_is_a_line_of_the_log(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        fit(tmp_path / "checkpoint", loss=in_parts)
    lines = [record.getMessage() for record in caplog.records]
    assert [line[:16] for line in lines] == ["epoch 1 of 2: lo", "epoch 2 of 2: lo"]
    assert "cross_entropy" in lines[0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_resumed_run_on_a_gpu_ends_where_an_undisturbed_one_does(tmp_path):
    def on_gpu(epoch):
        return ((images.cuda(), labels.cuda()) for images, labels in batches(epoch))

    def broken_off(epoch):
        return ((images.cuda(), labels.cuda()) for images, labels in interrupted(epoch))

    def dropping(network, batch):
        images, labels = batch
        return loss(network, (nn.functional.dropout(images), labels))

    def fit_on_gpu(path, feed):
        return loop.fit(network(), feed, dropping, CONFIG, steps_per_epoch=STEPS, checkpoint=path, device="cuda")

    undisturbed = fit_on_gpu(tmp_path / "one", on_gpu)
    with pytest.raises(Interrupted):
        fit_on_gpu(tmp_path / "two", broken_off)
    for name, tensor in fit_on_gpu(tmp_path / "two", on_gpu).state_dict().items():
        torch.testing.assert_close(tensor, undisturbed.state_dict()[name])
