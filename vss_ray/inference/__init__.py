"""The second stage of methods: networks, and whatever lives from picture to picture. Torch, no Ray, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from vss_ray.engines import Graph
from vss_ray.frames import Inferred, Prepared
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Description, Segmenter

if TYPE_CHECKING:
    import torch
    from torch import nn


class Inference(Protocol):
    """A method's second stage, networks loaded."""

    taxonomy: Taxonomy

    def __call__(self, clips: Sequence[Prepared]) -> list[Inferred]:
        """Scores of every clip. Clips of one size advance together; what a clip gets never depends on the others."""
        ...


@dataclass(frozen=True, kw_only=True)
class Base:
    """The keyframe network of an operating point, for methods to build on."""

    segmenter: Callable[[], Segmenter]
    """The network behind its plain call; compiled when asked for."""
    load: Callable[[], nn.Module]
    """See ``network``."""
    description: Description
    compile: Callable[[nn.Module], Graph]
    """A module on the operating point's engine."""
    device_name: str
    """``cpu``, ``cuda`` or ``cuda:N``."""
    batch: int
    """Pictures that the device sees at once; 1 on a CPU."""

    @property
    def device(self) -> torch.device:
        """Where the tensors of ``compile`` live."""
        import torch

        return torch.device(self.device_name)

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes of the scores."""
        return self.description.taxonomy

    @cached_property
    def network(self) -> nn.Module:
        """The bare module, frozen: logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w).

        Raises:
            ModelError: The segmenter has no network of this package to give.
        """
        return self.load().eval().requires_grad_(False)

    @property
    def mean(self) -> tuple[float, float, float]:
        """RGB, of the network's pictures from 0 to 255."""
        return self.network.mean  # type: ignore[return-value]

    @property
    def std(self) -> tuple[float, float, float]:
        """RGB, of the network's pictures from 0 to 255."""
        return self.network.std  # type: ignore[return-value]
