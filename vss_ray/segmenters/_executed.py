"""The segmenter that all modules of this folder build: a taxonomy, a stride, and an engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vss_ray import engines
from vss_ray.errors import ModelError
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Sizing

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Executed:
    """See ``vss_ray.segmenters.Segmenter``."""

    taxonomy: Taxonomy
    stride: int
    fit: Callable[[int, int], tuple[int, int]]
    engine: engines.Engine

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the network's input for frames of ``height`` x ``width``."""
        return self.fit(height, width)

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Class probabilities (B, h/stride, w/stride, C) of RGB pictures (B, h, w, 3).

        Raises:
            ValueError: ``pixels`` is not that.
        """
        return self.score_and_embed(pixels)[0]

    def score_and_embed(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """The same, and embeddings (B, E) if the network has any; see ``vss_ray.networks.embedding``.

        Raises:
            ValueError: See ``__call__``.
        """
        if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"wanted (B, h, w, 3) uint8, got {pixels.shape = }, {pixels.dtype = }")
        return self.engine(pixels)


def execute(
    network: nn.Module,
    taxonomy: Taxonomy,
    config: Sizing,
    *,
    name: str,
    fit: Callable[[int, int], tuple[int, int]],
    mean: Sequence[float],
    std: Sequence[float],
    threads: int,
    device: str,
) -> Executed:
    """``network`` on the engine of ``config``, once it is known to fit ``taxonomy``.

    Args:
        network: Logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w).
        taxonomy: One class per channel.
        config: Engine, precision, and how often a picture is seen.
        name: The network's name in messages.
        fit: The network's input size for a frame's.
        mean: RGB, of pixels from 0 to 255.
        std: RGB, of pixels from 0 to 255.
        threads: Threads of the process that the network may use.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelError: It does not.
    """
    network = network.eval()
    if config.is_heavy:
        from vss_ray.networks.views import Views

        network = Views(network, config.scales, config.mirror)
    height, width = fit(64, 64)
    num_classes, stride = _try(network, height, width, name)
    check_classes(name, num_classes, taxonomy)
    engine = engines.build(config, network, mean=mean, std=std, threads=threads, device=device)
    return Executed(taxonomy=taxonomy, stride=stride, fit=fit, engine=engine)


def check_classes(name: str, num_classes: int, taxonomy: Taxonomy) -> None:
    """Refuse a network whose classes are not the taxonomy's.

    Raises:
        ModelError: Their numbers differ.
    """
    if num_classes != len(taxonomy):
        raise ModelError(
            f"{name} scores {num_classes} classes, but taxonomy {taxonomy.name} has {len(taxonomy)}; "
            f"give it the taxonomy that it was trained with"
        )


def _try(network: nn.Module, height: int, width: int, name: str) -> tuple[int, int]:
    """(classes, stride) that the network has on a picture of that size."""
    import torch

    tensors = itertools.chain(network.parameters(), network.buffers(), [torch.empty(0)])
    with torch.inference_mode():
        try:
            logits = network(torch.zeros(1, 3, height, width, device=next(tensors).device))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ModelError(f"{name} does not take a picture of {height}x{width} pixels: {error}") from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 4:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ModelError(f"{name} answers {got}; wanted one tensor of logits (batch, classes, height, width)")
    return logits.shape[1], round(height / logits.shape[2])
