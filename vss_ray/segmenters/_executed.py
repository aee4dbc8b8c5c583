"""The segmenter that all modules of this folder build: a taxonomy, a stride, and an engine."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import engines, kept
from vss_ray.engines.openvino import OpenVino
from vss_ray.errors import ConfigError, ModelError
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.segmenters import Sizing


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

    def graph(self, height: int, width: int) -> Any:
        """The network in fp32 on pictures of that size, to be quantized; see ``engines.openvino.OpenVino.graph``.

        Raises:
            ConfigError: It runs on another engine.
        """
        if not isinstance(self.engine, OpenVino):
            raise ConfigError("segmenter.precision: int8 is made of networks on engine openvino; take that, or bf16")
        return self.engine.graph(height, width)

    def quantized(self, graphs: Mapping[tuple[int, int], bytes]) -> Executed:
        """The same with graphs in int8 for pictures of some sizes; see ``engines.int8``.

        Raises:
            ConfigError: See ``graph``.
        """
        if not isinstance(self.engine, OpenVino):
            raise ConfigError("segmenter.precision: int8 is for networks on engine openvino; take that, or bf16")
        return replace(self, engine=self.engine.quantized(graphs))

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

    @property
    def in_batches(self) -> Callable[..., tuple[NDArray[np.float16], NDArray[np.float16] | None]] | None:
        """Of an engine that works on several batches at once: ``score_and_embed`` of many pictures, so many a batch."""
        return getattr(self.engine, "in_batches", None)


def execute(
    load: Callable[[], engines.Loaded],
    taxonomy: Taxonomy,
    config: Sizing,
    *,
    identity: str,
    name: str,
    fit: Callable[[int, int], tuple[int, int]],
    threads: int,
    device: str,
) -> Executed:
    """A network on the engine of ``config``, once it is known to fit ``taxonomy``.

    Args:
        load: Gives the network, logits (B, C, h/s, w/s) of normalized pictures (B, 3, h, w), and its normalization; not
            asked where OpenVINO's form of it is kept on this machine.
        taxonomy: One class per channel.
        config: Engine, precision, and how often a picture is seen.
        identity: Equal for networks that compute the same, code of this package left aside.
        name: The network's name in messages.
        fit: The network's input size for a frame's.
        threads: Threads of the process that the network may use.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelError: It does not.
    """

    @functools.cache
    def loaded() -> engines.Loaded:
        network, mean, std = load()
        network = network.eval()  # type: ignore[union-attr]
        if config.is_heavy:
            from vss_ray.networks.views import Views

            network = Views(network, config.scales, config.mirror)
        return network, mean, std

    def tried() -> bytes:
        return json.dumps(_try(loaded()[0], *fit(64, 64), name)).encode()

    identity = f"{identity}, {config.scales}, {config.mirror}"
    is_kept = engines.resolve(config, device.startswith("cuda")).engine == "openvino"
    key = {"network": identity, "size": fit(64, 64)}
    num_classes, stride = json.loads(kept.recall("shapes", key, tried) if is_kept else tried())
    check_classes(name, num_classes, taxonomy)
    engine = engines.build_lazily(config, loaded, identity=identity, threads=threads, device=device)
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


def _try(network: Any, height: int, width: int, name: str) -> tuple[int, int]:
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
