"""GSVNet: scores of a picture from those of its neighbor, by a network that sees an eighth of the resolution alone.

Lee, Chen, Peng, "GSVNet: Guided Spatially-Varying Convolution for Fast Semantic Segmentation on Video", ICME 2021,
section 3, layers as in the authors' code. A light flow net warps the neighbor's logits; per-pixel kernels, the same for
all classes, mix nine shifts of the result with a crude prediction from the picture itself.

Departures: positions are those of ``align_corners=False``, as everywhere in this package; outside of the picture its
border is repeated; the logits may live on a finer grid than the nets, because delivering keyframes from 1/8 costs more
than carrying them does; the guide may see where the warped picture is unlike the current one (``error_plane``); the
flow net may see how well every displacement of a few cells explains the picture (``search``), because comparing is hard
to learn; other motion than its own may be given. With ``width=32, zero_plane=True, error_plane=False, search=0`` every
tensor has the published shape.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NET_STRIDE = 8
"""Pixels of the keyframe network's input per cell of the nets, along one side."""
MULTIPLE = 4
"""The nets halve their grid twice."""
SHIFTS = tuple((i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1))
"""Row and column where a shifted view of the map begins once a border of one cell is added: raster order."""
LEAST = 1e-3
"""Added to every weight of a kernel, so that no pixel is without an answer."""
MOTION_UNIT = 0.25
"""Cells per unit of the flow net's head."""


class GsvNet(nn.Module):
    """The flow, the intra and the guiding net, and how they go together.

    Args:
        num_classes: Channels of the logits.
        width: Channels of the intra and the guiding net at full grid; published: 32.
        zero_plane: Give the kernels an eleventh tap, on zeros, as the authors' code does by accident.
        error_plane: Show the guide how unlike the picture and its warped neighbor are.
        search: Largest displacement, cells, that the flow net is shown the error of; 0 shows it none.
    """

    def __init__(
        self, num_classes: int, *, width: int = 24, zero_plane: bool = False, error_plane: bool = True, search: int = 0
    ) -> None:
        super().__init__()
        self.flow = FlowNet(search=search)
        self.guidance = Guidance(num_classes, width, zero_plane=zero_plane, error_plane=error_plane)

    def forward(self, logits: Tensor, here: Tensor, there: Tensor, motion: Tensor | None = None) -> Tensor:
        """Logits of a picture.

        Args:
            logits: (B, C, gh, gw) of its neighbor; gh = n * h, gw = n * w with n = 1 or more.
            here: (B, 3, h, w) the picture, normalized, at 1/8 of the keyframe network's input.
            there: (B, 3, h, w) its neighbor.
            motion: (B, 2, h, w) displacement to the neighbor, cells; None: the flow net finds it.

        Returns:
            (B, C, gh, gw) float32.
        """
        known = self.flow(here, there).float() if motion is None else motion
        warped = warp(logits, enlarge_motion(known, logits))
        kernels, intra = self.guidance(here, clues(warped, here, there, known))
        return mix(warped, kernels, intra)


class FlowNet(nn.Module):
    """Displacement from a picture to its neighbor: two strided and four dilated convolutions (the code's light net)."""

    def __init__(self, width: int = 64, search: int = 0) -> None:
        super().__init__()
        self.search = search
        seen = 6 + (2 * search + 1) ** 2 if search else 6
        self.reduce = nn.Sequential(_leaky(seen, width // 2, stride=2), _leaky(width // 2, width, stride=2))
        self.dilated = nn.ModuleList(_leaky(width, width, dilation=dilation) for dilation in (1, 2, 4, 8))
        self.merge = _leaky(4 * width, width, kernel=1)
        self.head = nn.Conv2d(width, 2, 3, padding=1)
        # Learning begins with stillness.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, here: Tensor, there: Tensor) -> Tensor:
        """(B, 2, h, w) in cells: ``here(x) ~ there(x + displacement(x))``; inputs (B, 3, h, w)."""
        height, width = here.shape[-2:]
        errors = [displaced_errors(here, there, self.search)] if self.search else []
        x = self.reduce(_padded(torch.cat([here, there, *errors], 1)))
        total, parts = None, []
        for convolution in self.dilated:
            part = convolution(x)
            total = part if total is None else part + total
            parts.append(total)
        motion = self.head(self.merge(torch.cat(parts, 1)) + x)
        motion = F.interpolate(motion, scale_factor=float(MULTIPLE), mode="bilinear", align_corners=False)
        return motion[..., :height, :width] * MOTION_UNIT


class Guidance(nn.Module):
    """A crude prediction from the picture, and the kernels that say where to believe it; see ``GsvNet``."""

    def __init__(self, num_classes: int, width: int, *, zero_plane: bool, error_plane: bool) -> None:
        super().__init__()
        planes = 1 + len(SHIFTS) + zero_plane + 1
        self.takes_error = error_plane
        self.intra = nn.Sequential(_plain(3, width), _plain(width, width), nn.Conv2d(width, num_classes, 3, padding=1))
        self.first = _plain(num_classes + 1 + error_plane, width)
        self.down = nn.Sequential(_plain(width, 2 * width, stride=2), _plain(2 * width, 4 * width, stride=2))
        self.up = nn.ModuleList([_plain(4 * width, 2 * width), _plain(2 * width, width)])
        self.head = _plain(width, planes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
        # Learning begins with copying. The other taps are held above zero, where a ReLU passes no gradient.
        norm = self.head[1]
        nn.init.constant_(norm.weight, 0.02)  # type: ignore[arg-type]
        with torch.no_grad():
            norm.bias.fill_(0.05)  # type: ignore[operator, union-attr]
            norm.bias[0] = 1.0  # type: ignore[index]

    def forward(self, here: Tensor, clues: Tensor) -> tuple[Tensor, Tensor]:
        """Kernels (B, planes, h, w) that sum to one and intra logits (B, C, h, w).

        Args:
            here: (B, 3, h, w), ImageNet-normalized.
            clues: (B, 1 or 2, h, w): edges of the warped labels, and the error of the warped picture.
        """
        height, width = here.shape[-2:]
        intra = self.intra(here)
        first = self.first(_padded(torch.cat([intra, clues if self.takes_error else clues[:, :1]], 1)))
        x = self.down(first)
        for convolution in self.up:
            x = convolution(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        weights = self.head(x + first)[..., :height, :width] + LEAST
        return weights / weights.sum(1, keepdim=True), intra


def warp(source: Tensor, motion: Tensor) -> Tensor:
    """``source`` (B, C, h, w) at x + motion(x), motion (B, 2, h, w) in cells, (right, down); the border is repeated."""
    height, width = source.shape[-2:]
    x = torch.arange(width, dtype=torch.float32, device=source.device) + 0.5
    y = torch.arange(height, dtype=torch.float32, device=source.device)[:, None] + 0.5
    positions = torch.stack([(x + motion[:, 0]) * (2 / width) - 1, (y + motion[:, 1]) * (2 / height) - 1], -1)
    return F.grid_sample(source.float(), positions, mode="bilinear", padding_mode="border", align_corners=False)


def displaced_errors(here: Tensor, there: Tensor, search: int) -> Tensor:
    """How unlike ``here`` is ``there`` at every displacement of up to ``search`` cells, over windows of 3x3.

    Args:
        here: (B, c, h, w).
        there: (B, c, h, w), its border repeated.
        search: Cells.

    Returns:
        (B, (2 * search + 1)^2, h, w), displacements row by row.
    """
    height, width = here.shape[-2:]
    bordered = F.pad(there, (search,) * 4, mode="replicate")
    places = range(2 * search + 1)
    errors = [(here - bordered[..., i : i + height, j : j + width]).abs().mean(1) for i in places for j in places]
    return F.avg_pool2d(torch.stack(errors, 1), 3, 1, 1, count_include_pad=False)


def enlarge_motion(motion: Tensor, grid: Tensor) -> Tensor:
    """``motion`` (B, 2, h, w) for maps of the size of ``grid``, in its cells."""
    times = grid.shape[-1] // motion.shape[-1]
    return motion if times == 1 else _enlarged(motion, grid) * times


def clues(warped: Tensor, here: Tensor, there: Tensor, motion: Tensor) -> Tensor:
    """What the guide is told, (B, 2, h, w): where labels meet, and how unlike the warped neighbor is.

    Args:
        warped: (B, C, gh, gw) logits.
        here: (B, 3, h, w).
        there: (B, 3, h, w).
        motion: (B, 2, h, w) from here to there.
    """
    error = (here - warp(there, motion)).abs().mean(1, keepdim=True)
    return torch.cat([edges(warped, warped.shape[-1] // here.shape[-1]), error], 1)


def edges(logits: Tensor, times: int) -> Tensor:
    """Where labels meet, (B, 1, h, w) of 0 and 1, from logits (B, C, times * h, times * w); no gradient flows."""
    ids = logits.detach().max(1, keepdim=True).indices.float()  # argmax, without its detour on a CPU
    highest, lowest = (sign * F.max_pool2d(sign * ids, times + 2, times, 1) for sign in (1, -1))
    return (highest != lowest).float()


def mix(warped: Tensor, kernels: Tensor, intra: Tensor) -> Tensor:
    """Sum of the kernels' taps: the warped logits, their eight shifts, and the intra logits; (B, C, gh, gw).

    Args:
        warped: (B, C, gh, gw).
        kernels: (B, planes, h, w); a plane of zeros before the last adds nothing.
        intra: (B, C, h, w).
    """
    height, width = warped.shape[-2:]
    kernels, intra = _enlarged(kernels.float(), warped), _enlarged(intra.float(), warped)
    mixed = kernels[:, :1] * warped
    mixed = mixed.addcmul_(kernels[:, -1:], intra)
    bordered = F.pad(warped, (1, 1, 1, 1), mode="replicate")
    for plane, (i, j) in enumerate(SHIFTS, start=1):
        mixed = mixed.addcmul_(kernels[:, plane : plane + 1], bordered[..., i : i + height, j : j + width])
    return mixed


def _enlarged(maps: Tensor, grid: Tensor) -> Tensor:
    if maps.shape[-2:] == grid.shape[-2:]:
        return maps
    return F.interpolate(maps, grid.shape[-2:], mode="bilinear", align_corners=False)


def _padded(x: Tensor) -> Tensor:
    """Sides brought to multiples of four by repeating the last row and column."""
    height, width = x.shape[-2:]
    below, right = -height % MULTIPLE, -width % MULTIPLE
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x


def _leaky(in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, dilation * (kernel // 2), dilation),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.1, inplace=True),
    )


def _plain(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
    )
