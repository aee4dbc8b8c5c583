"""One training loop for every network: AdamW, one cycle, moving average of weights, resumable between epochs.

Parameters that need no gradient stay as they are, cost no optimizer state, and are not in the checkpoint. A frozen part
with running statistics must override ``train`` and stay in eval mode.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vss_ray.errors import ModelError
from vss_ray.training import history, memory
from vss_ray.training.live import Display

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long and how fast to learn."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    epochs: int = 100
    batch: int = 8
    learning_rate: float = 2e-3
    pretrained_factor: float = 0.25
    """Learning rate of the parameters of ``network.encoder``, relative to ``learning_rate``."""
    weight_decay: float = 0.02
    ema: float = 0.998
    """Decay of the moving average of the weights, per step; less in the beginning, see ``_moving_average``."""
    seed: int = 0


def fit(
    network: nn.Module,
    batches: Callable[[int], Iterator[Any]],
    loss: Callable[[nn.Module, Any], Tensor | Mapping[str, Tensor]],
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
        loss: Scalar loss of a batch; or parts of it by name, to be told apart in the reports, with the ``loss`` itself
            among them; the same parts every time.
        config: Schedule.
        steps_per_epoch: Batches in an epoch.
        checkpoint: Written after every epoch; where it exists, training goes on from it. The history lies beside it at
            the end: a table, .csv, and a curve, .png.
        device: ``cpu`` or ``cuda``.

    Raises:
        ModelError: The checkpoint belongs to another schedule, or the loss is not finite.
    """
    memory.keep_freed()
    torch.manual_seed(config.seed)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_moving_average(config.ema), use_buffers=True)
    optimizer = torch.optim.AdamW(_parameter_groups(network, config), weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in optimizer.param_groups],
        total_steps=config.epochs * steps_per_epoch,
        pct_start=0.1,
    )
    parts = {"network": network, "average": average, "optimizer": optimizer, "schedule": schedule}
    rows = _resume(checkpoint, parts, config)
    with Display(config.epochs, steps_per_epoch, done=len(rows)) as display:
        for epoch in range(len(rows), config.epochs):
            started = time.monotonic()
            totals: dict[str, Tensor] = {}
            for step, batch in enumerate(batches(epoch)):
                with torch.autocast(device, torch.bfloat16):
                    answer = loss(network, batch)
                terms = answer if isinstance(answer, Mapping) else {"loss": answer}
                value = float(terms["loss"].detach())
                if not math.isfinite(value):
                    raise ModelError(
                        f"the loss is {value} at step {step + 1} of epoch {epoch + 1}; delete {checkpoint} and start "
                        f"again with a schedule.learning_rate below {config.learning_rate:g}"
                    )
                optimizer.zero_grad(set_to_none=True)
                terms["loss"].backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
                for name, term in terms.items():
                    totals[name] = totals.get(name, 0) + term.detach()
                display.step(value)
            row = {"epoch": epoch + 1, **{name: float(total) / steps_per_epoch for name, total in totals.items()}}
            row |= {"learning_rate": schedule.get_last_lr()[0], "seconds": time.monotonic() - started}
            rows.append(row)
            display.epoch(row)
            _save(checkpoint, parts, config, rows)
    if rows:
        history.write_table(checkpoint.with_suffix(".csv"), rows)
        history.write_curve(checkpoint.with_suffix(".png"), rows)
    return average.module.eval()


def _moving_average(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    """What a short training ends with should hold none of the noise that it began with.

    As ``torch.optim.swa_utils.get_ema_multi_avg_fn``, but step n keeps no more than (1 + n) / (10 + n) of the average.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], num_averaged: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            kept = min(decay, (1 + int(num_averaged)) / (10 + int(num_averaged)))
            torch._foreach_lerp_(averaged, current, 1 - kept)  # type: ignore[attr-defined]
        else:
            torch._foreach_copy_(averaged, current)  # type: ignore[attr-defined]

    return update


def _parameter_groups(network: nn.Module, config: Config) -> list[dict[str, Any]]:
    encoder = getattr(network, "encoder", None)  # a property where the public names call it otherwise
    inside = {*encoder.parameters()} if isinstance(encoder, nn.Module) else set()
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    fresh = [parameter for parameter in learning if parameter not in inside]
    pretrained = [parameter for parameter in learning if parameter in inside]
    slow = config.learning_rate * config.pretrained_factor
    groups = [{"params": fresh, "lr": config.learning_rate}, {"params": pretrained, "lr": slow}]
    return [group for group in groups if group["params"]]


def _frozen(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if not parameter.requires_grad}


def _state(part: Any) -> dict[str, Any]:
    left_out = _frozen(part) if isinstance(part, nn.Module) else ()
    return {name: value for name, value in part.state_dict().items() if name not in left_out}


def _save(path: Path, parts: dict[str, Any], config: Config, rows: list[dict[str, float]]) -> None:
    state = {name: _state(part) for name, part in parts.items()}
    random = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"history": rows, "config": asdict(config), "random": random, **state}, partial)
    os.replace(partial, path)


def _resume(path: Path, parts: dict[str, Any], config: Config) -> list[dict[str, float]]:
    """The history of what was trained before; the parts are as they were then."""
    if not path.exists():
        return []
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != asdict(config):
        raise ModelError(f"{path} was made with {state['config']}, not {asdict(config)}; delete it to start again")
    for name, part in parts.items():
        if not isinstance(part, nn.Module):
            part.load_state_dict(state[name])
            continue
        wanted = {key: value.shape for key, value in _state(part).items()}
        if {key: value.shape for key, value in state[name].items()} != wanted:
            raise ModelError(f"{path} belongs to another network, or other parts of it; delete it to start again")
        part.load_state_dict(state[name], strict=False)
    torch.set_rng_state(state["random"][0])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["random"][1:])
    rows = state["history"]
    log.info("going on from epoch %d of %s", len(rows), path)
    return rows
