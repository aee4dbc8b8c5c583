"""Motion between the pictures of a training pair, found as it is in use."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from vss_ray.flow import inverse_search

SIDE = 176
"""Short side of the pictures that flow is solved on, as methods do by default."""
SMALLEST = 1e-6


def between(images: Tensor) -> Tensor:
    """Displacements (B, 2, h, w, 2) from each picture of a pair to the other, on a grid of their own.

    Args:
        images: (B, 2, 3, H, W), on any scale: every pair is stretched to 8 bits of gray.
    """
    flow = inverse_search.build(inverse_search.Config())
    gray = images.float().mean(2)
    low, high = gray.amin((1, 2, 3), keepdim=True), gray.amax((1, 2, 3), keepdim=True)
    pairs = ((gray - low) * (255 / (high - low).clamp_min(SMALLEST))).to(torch.uint8).cpu().numpy()
    scale = SIDE / min(pairs.shape[-2:])
    fields = []
    for pair in pairs:
        first, second = (cv2.resize(p, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for p in pair)
        fields.append(np.stack([flow(first, second), flow(second, first)]))
    return torch.from_numpy(np.stack(fields)).to(images.device)
