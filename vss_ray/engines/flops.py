"""How much arithmetic a network does: what its speed is held against."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def gflop(network: nn.Module, height: int, width: int) -> float:
    """Billions of floating-point operations on one picture, a multiplication and its addition counted as two.

    Convolutions, matrix products and attention count; normalization, activations, enlargements and softmax, which
    engines fold into them or spend little on, do not. Nothing is computed: it takes the time of a few shapes.

    Args:
        network: Logits of pictures (B, 3, h, w), such as ``load_network`` of ``vss_ray.segmenters.builtin`` gives.
        height: Of the network's input, see ``input_size`` of its segmenter.
        width: See height.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    shapes = copy.deepcopy(network).eval().to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes(torch.empty(1, 3, height, width, device="meta"))
    return counter.get_total_flops() / 1e9
