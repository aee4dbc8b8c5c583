"""Networks in two halves, cut where LMANet puts its memory: features at stride 8 first, logits second.

``back(*front(x))`` is ``network(x)``. The cut lies in front of the decoder in ERFNet, in front of the pooling pyramid
in PSPNet (LMANet, section IV), and in front of the last enlargement in SwiftNet, where features have context.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from vss_ray.errors import ModelError
from vss_ray.networks.erfnet import ERFNet
from vss_ray.networks.pspnet import PSPNet
from vss_ray.networks.swiftnet import SwiftNet


@dataclass(frozen=True)
class Halves:
    """Both share their parameters with the network that they are cut from."""

    front: nn.Module
    """From a normalized picture (B, 3, 8h, 8w) to features (B, width, h, w) and what else ``back`` takes of it."""
    back: nn.Module
    """From these to logits."""
    width: int


def cut(network: nn.Module) -> Halves:
    """``network`` in two.

    Raises:
        ModelError: It is none of the three.
    """
    match network:
        case SwiftNet():
            return Halves(_SwiftNetFront(network), _SwiftNetBack(network), network.width)
        case ERFNet():
            return Halves(_Alone(network.encoder), network.decoder, 8 * network.width)
        case PSPNet():
            back = nn.Sequential(network.ppm, network.cls)
            return Halves(_Alone(network.encoder), back, network.encoder.channels[-1])
        case _:
            raise ModelError(
                f"lmanet takes its features from inside swiftnet, erfnet or pspnet; the segmenter has "
                f"{type(network).__name__}: take segmenter builtin with weights of one of them, or another method"
            )


class _SwiftNetFront(nn.Module):
    """Decoder features at stride 8, and the encoder's at stride 4, (B, c, 2h, 2w)."""

    def __init__(self, network: SwiftNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fourth, eighth = shallow = self.network.shallow(x)
        return self.network.upsamples[1](self.network.deep(shallow), eighth), fourth


class _SwiftNetBack(nn.Module):
    def __init__(self, network: SwiftNet) -> None:
        super().__init__()
        self.enlarge, self.head = network.upsamples[-1], network.head

    def forward(self, features: Tensor, fourth: Tensor) -> Tensor:
        return self.head(self.enlarge(features, fourth))


class _Alone(nn.Module):
    """An encoder whose last, or only, features are all that is needed."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> tuple[Tensor]:
        features = self.encoder(x)
        return (features if isinstance(features, Tensor) else features[-1],)
