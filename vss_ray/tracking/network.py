"""RTS ready to run: what does not change from object to object is compiled for the machine, in three parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vss_ray.engines import Execution, Graph, build_graph
from vss_ray.errors import ModelError
from vss_ray.networks import rts, stored
from vss_ray.networks.pixels import Normalized
from vss_ray.networks.rts import Features, Rts

WEIGHTS = "rts_mobilenet_v2_camvid"
"""Those of the package."""
OPTION = "--weights"


class Network:
    """See the module.

    Args:
        network: In evaluation.
        compile: A module on an engine, see ``vss_ray.engines.build_graph``.
        device: Where the engine's tensors live.
    """

    def __init__(self, network: Rts, compile: Callable[[nn.Module], Graph], device: str = "cpu") -> None:
        self.rts = network.to(device)
        self.device = torch.device(device)
        self._look, self._encode, self._decode = (
            compile(_Look(network)),
            compile(_Label(network)),
            compile(_Decode(network)),
        )

    def look(self, pictures: NDArray[np.uint8]) -> Features:
        """Features of RGB pictures (B, h, w, 3)."""
        mask, instance, *reduced = self._look(torch.from_numpy(np.ascontiguousarray(pictures)).to(self.device))
        return Features(mask, instance, tuple(reduced))

    def encode(self, masks: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """E and W (B, D, h, w) of masks (B, H, W)."""
        label, importance = self._encode(torch.from_numpy(np.ascontiguousarray(masks)).to(self.device)[:, None])
        return label, importance

    def decode(self, encoding: Tensor, scores: Tensor, reduced: tuple[Tensor, ...]) -> NDArray[np.float32]:
        """Probabilities (B, H/2, W/2) of what ``Rts.decode`` takes."""
        count = len(encoding)
        shared = [level.expand(count, -1, -1, -1) for level in reduced]
        (probabilities,) = self._decode(encoding, scores, *shared)
        return probabilities[:, 0].float().cpu().numpy()


def build(weights: str, execution: Execution, *, threads: int, device: str) -> Network:
    """The network of ``weights``, see ``stored.locate``, compiled.

    Raises:
        ModelError: There are no such weights, or ``load`` refuses them.
    """
    network = load(stored.locate(OPTION, weights))
    return Network(network, lambda part: build_graph(execution, part, threads=threads, device=device), device)


def load(weights: Path) -> Rts:
    """The network of a file of ``vss train rts``, in evaluation.

    Raises:
        ModelError: It is none, or cut short.
    """
    said = stored.header(weights)
    if said.get("network") != "rts":
        raise ModelError(f"{weights} holds the weights of {said.get('network')!r}; wanted a file of `vss train rts`")
    shape: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.described(weights, "config").items()
    }
    network = Rts(rts.Config(**shape))
    stored.load(network, weights, name="rts")
    return network.eval().requires_grad_(False)


class _Look(nn.Module):
    def __init__(self, network: Rts) -> None:
        super().__init__()
        self.network, self.normalized = network, Normalized(network.mean, network.std)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features = self.network.features(self.normalized(pixels))
        return features.mask, features.instance, *features.reduced


class _Label(nn.Module):
    def __init__(self, network: Rts) -> None:
        super().__init__()
        self.encoder = network.label_encoder

    def forward(self, masks: Tensor) -> tuple[Tensor, Tensor]:
        return self.encoder(masks)


class _Decode(nn.Module):
    def __init__(self, network: Rts) -> None:
        super().__init__()
        self.network = network

    def forward(self, encoding: Tensor, scores: Tensor, *reduced: Tensor) -> Tensor:
        return self.network.decode(encoding, scores, reduced).sigmoid()
