"""One training loop for every network: AdamW, one cycle, moving average of weights, resumable between epochs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vss_ray.errors import ModelError

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long and how fast to learn."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    epochs: int = 100
    batch: int = 8
    learning_rate: float = 2e-3
    pretrained_factor: float = 0.25
    """Learning rate of parameters under ``encoder.``, relative to ``learning_rate``."""
    weight_decay: float = 0.02
    ema: float = 0.998
    """Decay of the moving average of the weights, per step."""
    seed: int = 0


def fit(
    network: nn.Module,
    batches: Callable[[int], Iterator[Any]],
    loss: Callable[[nn.Module, Any], Tensor],
    config: Config,
    *,
    steps_per_epoch: int,
    checkpoint: Path,
    device: str = "cpu",
) -> nn.Module:
    """Train ``network`` and return the moving average of its weights, in eval mode.

    Args:
        network: Trained in place.
        batches: Yields the batches of an epoch; must depend on the epoch's number alone, so that a resumed run
            sees what an undisturbed one would.
        loss: Scalar loss of a batch.
        config: Schedule.
        steps_per_epoch: Batches in an epoch.
        checkpoint: Written after every epoch; where it exists, training goes on from it.
        device: ``cpu`` or ``cuda``.

    Raises:
        ModelError: The checkpoint belongs to another schedule.
    """
    torch.manual_seed(config.seed)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
    optimizer = torch.optim.AdamW(_parameter_groups(network, config), weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=config.epochs * steps_per_epoch,
        pct_start=0.1,
    )
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    first = _resume(checkpoint, parts, config)
    for epoch in range(first, config.epochs):
        started, total = time.monotonic(), 0.0
        for batch in batches(epoch):
            with torch.autocast(device, torch.bfloat16):
                value = loss(network, batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            total += float(value.detach())
        mean, seconds = total / steps_per_epoch, time.monotonic() - started
        log.info("epoch %d of %d: loss %.4f, %.1f s", epoch + 1, config.epochs, mean, seconds)
        _save(checkpoint, parts, config, epoch + 1)
    return average.module.eval()


def _parameter_groups(network: nn.Module, config: Config) -> list[dict[str, Any]]:
    pretrained, fresh = [], []
    for name, parameter in network.named_parameters():
        (pretrained if name.startswith("encoder.") else fresh).append(parameter)
    slow = config.learning_rate * config.pretrained_factor
    return [{"params": fresh, "lr": config.learning_rate}, {"params": pretrained, "lr": slow}]


def _save(path: Path, parts: dict[str, Any], config: Config, epoch: int) -> None:
    state = {name: part.state_dict() for name, part in parts.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"epoch": epoch, "config": asdict(config), "random": torch.get_rng_state(), **state}, partial)
    os.replace(partial, path)


def _resume(path: Path, parts: dict[str, Any], config: Config) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != asdict(config):
        raise ModelError(f"{path} was made with {state['config']}, not {asdict(config)}; delete it to start again")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    log.info("going on from epoch %d of %s", state["epoch"], path)
    return state["epoch"]
