"""A picture as one vector: the deepest features of a network's encoder, averaged over the picture.

They are read where they pass by: a graph that scores pictures gives them as one more output, computes nothing twice and
says of everything else what it said before.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Embedded(nn.Module):
    """A graph with one more output, its last: what the network in it sees in each picture.

    Args:
        graph: A module that runs the encoder of ``network``.
        network: Names that encoder's last module in ``deepest``, see ``vss_ray.networks``.
    """

    def __init__(self, graph: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.scored = graph
        self._view: int = getattr(network, "plain_view", 0)  # type: ignore[assignment]
        self._seen: list[Tensor] | None = None  # None: the network runs for somebody else
        network.deepest.register_forward_hook(self._note)  # type: ignore[operator, union-attr]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the graph, and (B, E) float16 of length 1."""
        self._seen = []
        outputs = self.scored(*inputs)
        features, self._seen = self._seen[self._view], None
        return *(outputs if isinstance(outputs, tuple) else (outputs,)), pooled(features)

    def _note(self, _module: nn.Module, _inputs: tuple[Tensor, ...], features: Tensor) -> None:
        if self._seen is not None:
            self._seen.append(features)


def has_embedding(network: nn.Module) -> bool:
    """Whether ``Embedded`` can be made of it."""
    return isinstance(getattr(network, "deepest", None), nn.Module)


def embedded(graph: nn.Module, network: nn.Module) -> nn.Module:
    """``graph`` with one more output where the network in it has deepest features, else as it is."""
    return Embedded(graph, network) if has_embedding(network) else graph


def pooled(features: Tensor) -> Tensor:
    """(B, E) float16 of length 1: the mean of features (B, E, h, w), or of tokens (B, n, E)."""
    mean = features.float().mean((2, 3) if features.ndim == 4 else 1)
    return F.normalize(mean, dim=1).half()
