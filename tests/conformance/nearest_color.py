"""A segmenter whose answer is known: the class of a pixel is the color it is most like. A plug-in by dotted path.

Its network is a SwiftNet with weights made by hand, so that methods can take it apart. Its weights and features are
exact in half precision and its sums in single: what two ways of computing the same must give is equal bit by bit. A
picture that is black all over gets scores that are no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.networks.swiftnet import LateralUpsample, SwiftNet
from vss_ray.segmenters import Description, Sizing
from vss_ray.segmenters._executed import Executed, execute

COLORS = ((64, 40, 40), (40, 72, 40), (40, 40, 80), (200, 192, 176), (176, 208, 192), (192, 192, 232))
"""RGB: three dark classes, then three bright ones; multiples of 8, so that products have few digits."""
NAMES = ("soil", "moss", "water", "sand", "leaf", "sky")
SOFTNESS = 16
"""Gray levels over which one class turns into another."""
TAXONOMY = Taxonomy("colors", NAMES, COLORS, ((),) * len(NAMES))
DIGEST = "0" * 64
ONE = 128.0
"""What stands for one in the fourth channel."""
PARTS = 4
"""Red, green, blue and ``ONE``."""


@dataclass(frozen=True, kw_only=True)
class Config(Sizing):
    """On the engine that starts soonest."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    engine: Literal["auto", "openvino", "torch"] = "torch"
    precision: Literal["auto", "fp32", "bf16"] = "fp32"


class Shrink(nn.Module):
    """Mean color of cells, whole gray levels."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, h/factor, w/factor) of ``x`` (B, 3 or 4, h, w)."""
        if x.shape[1] < PARTS:
            highest = x.amax((1, 2, 3), keepdim=True)
            x = torch.cat([x * (highest / highest), torch.full_like(x[:, :1], ONE)], 1)
        return F.avg_pool2d(x, self.factor).round()


class Encoder(nn.Module):
    """See ``vss_ray.networks``."""

    channels = (PARTS,) * 4
    early_channels, early_stride = PARTS, 2

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Shrink(factor) for factor in (4, 2, 2, 2))

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """From stride to stride."""
        return tuple(self.parts)

    @property
    def deepest(self) -> nn.Module:
        """At stride 32."""
        return self.parts[-1]

    def early(self, x: Tensor) -> Tensor:
        """At stride 2."""
        return Shrink(2)(x)

    def forward(self, x: Tensor) -> list[Tensor]:
        """All strides."""
        return [x := stage(x) for stage in self.parts]


class NearestColor(SwiftNet):
    """Logits are minus the squared distances to all colors over 2 SOFTNESS^2, but for what all classes share.

    Features at stride 4 are the colors of cells of 4 pixels, then nothing; at stride 8 nothing, then those of 8 pixels;
    at stride 16, which is what ``deep`` gives, noise that nothing listens to.
    """

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self) -> None:
        super().__init__(Encoder(), len(COLORS), width=2 * PARTS)
        first, second = range(PARTS), range(PARTS, 2 * PARTS)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.running_var.fill_(1 - layer.eps)  # type: ignore[union-attr]
            _pass(self.upsamples[0], range(0), first)
            _pass(self.upsamples[1], second, second)
            _pass(self.upsamples[2], first, first)
            colors = torch.tensor(COLORS, dtype=torch.float32)
            self.head.weight.zero_()
            self.head.weight[:, :3, 0, 0] = colors / SOFTNESS**2
            self.head.weight[:, 3, 0, 0] = -colors.square().sum(1) / (2 * SOFTNESS**2 * ONE)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]


def _pass(upsample: nn.Module, lateral: range, blended: range) -> None:
    """Let lateral features in as channels ``lateral``, and of all channels only ``blended`` through."""
    assert isinstance(upsample, LateralUpsample)
    into, through = upsample.lateral[0].weight, upsample.blend[0].weight  # type: ignore[index]
    into.zero_()  # type: ignore[operator]
    through.zero_()  # type: ignore[operator]
    for part, channel in enumerate(lateral):
        into[channel, part] = 1  # type: ignore[index, operator]
    for channel in blended:
        through[channel, channel, 1, 1] = 1  # type: ignore[index, operator]


def load_network(config: Config) -> tuple[NearestColor, Taxonomy]:
    """The bare network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NearestColor(), TAXONOMY


def describe(config: Config) -> Description:
    """No weights."""
    return Description(taxonomy=TAXONOMY, digest=DIGEST, network=__name__)


def resolve(config: Config, has_cuda: bool) -> Config:
    """Nothing depends on the machine."""
    return config


def input_size(config: Config, height: int, width: int) -> tuple[int, int]:
    """Sides rounded up to multiples of 32."""
    return -(-height // 32) * 32, -(-width // 32) * 32


def build(config: Config, *, threads: int, device: str) -> Executed:
    """Ready to run."""
    network, taxonomy = load_network(config)
    return execute(
        lambda: (network, network.mean, network.std),
        taxonomy,
        config,
        identity=f"nearest color {DIGEST}",
        name="nearest_color",
        fit=partial(input_size, config),
        threads=threads,
        device=device,
    )
