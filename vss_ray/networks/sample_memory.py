"""What a model that learns online keeps of the frames before: a fixed number of samples, the newest count most.

The rules are those of Paul et al., ECCV 2022 (and of DiMP before it): a new sample counts 1 / (1 - rate) times as much
as the one before it; where no slot is free it takes the place of the one that counts least.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much is kept, and how fast it fades."""

    slots: int
    rate: float
    """Of forgetting: after 1 / rate samples one counts e times less."""
    first_minimum: float = 0.0
    """What the first samples count together at least; above 0 they are never replaced."""

    def __post_init__(self) -> None:
        if self.slots < 1 or not 0 < self.rate < 1 or not 0 <= self.first_minimum < 1:
            raise ValueError(f"{self}: wanted slots of 1 or more, a rate between 0 and 1, a minimum below 1")


class SampleMemory:
    """Samples of one object.

    Args:
        config: Rules.
        first: Tensors (n, ...) by name, of n samples that begin it, all counting the same; they name what every further
            sample has. They are kept in half precision.
    """

    def __init__(self, config: Config, first: Mapping[str, Tensor]) -> None:
        (count,) = {len(tensor) for tensor in first.values()}
        if not 1 <= count <= config.slots:
            raise ValueError(f"{count} first samples do not fit {config.slots} slots")
        self._config = config
        self._first = count
        self._filled = count
        self._newest: int | None = None
        self._weights = torch.zeros(config.slots)
        self._weights[:count] = 1 / count
        self._stored = {
            name: torch.zeros(config.slots, *tensor.shape[1:], dtype=torch.float16, device=tensor.device)
            for name, tensor in first.items()
        }
        for name, tensor in first.items():
            self._stored[name][:count] = tensor

    def __len__(self) -> int:
        return self._filled

    @property
    def weights(self) -> Tensor:
        """(n,) what the samples count; together 1."""
        return self._weights[: self._filled]

    def read(self, name: str) -> Tensor:
        """(n, ...) float32, in the order of ``weights``."""
        return self._stored[name][: self._filled].float()

    def write(self, sample: Mapping[str, Tensor]) -> int:
        """Keep a sample, tensors without the first dimension; the slot it is kept in."""
        slot = self._slot()
        for name, stored in self._stored.items():
            stored[slot] = sample[name]
        self._weigh(slot)
        self._filled = max(self._filled, slot + 1)
        self._newest = slot
        return slot

    def first(self) -> SampleMemory:
        """A memory of the samples that began this one; where they were replaced, of what took their slots."""
        return SampleMemory(self._config, {name: each[: self._first] for name, each in self._stored.items()})

    def state(self) -> dict[str, Tensor]:
        """All of it as tensors; ``restored`` makes the same memory of it."""
        newest = -1 if self._newest is None else self._newest
        counters = torch.tensor([self._first, self._filled, newest])
        samples = {f"stored.{name}": stored[: self._filled].clone() for name, stored in self._stored.items()}
        return {"counters": counters, "weights": self.weights.clone(), **samples}

    @classmethod
    def restored(cls, config: Config, state: Mapping[str, Tensor], device: torch.device | str) -> SampleMemory:
        """What ``state`` gave.

        Raises:
            ValueError: It has more samples than slots.
        """
        first, filled, newest = state["counters"].tolist()
        prefix = "stored."
        stored = {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}
        memory = cls(config, {name: each.to(device) for name, each in stored.items()})
        memory._first, memory._filled, memory._newest = first, filled, None if newest < 0 else newest
        memory._weights[:filled] = state["weights"]
        return memory

    def _slot(self) -> int:
        if self._filled < self._config.slots:
            return self._filled
        kept = self._first if self._config.first_minimum and self._first < self._config.slots else 0
        return kept + int(self._weights[kept:].argmin())

    def _weigh(self, slot: int) -> None:
        remembered = 1 - self._config.rate
        if self._newest is None:
            self._weights /= remembered
            self._weights[slot] = self._config.rate
        else:
            self._weights[slot] = self._weights[self._newest] / remembered
        self._weights /= self._weights.sum()
        first, minimum = self._weights[: self._first], self._config.first_minimum
        if first.sum() < minimum:
            others = self._weights[self._first :]
            others *= (1 - minimum) / others.sum()
            first[:] = minimum / self._first
