"""Features of boxes, sampled between cells (He et al., "Mask R-CNN", ICCV 2017, section 3), for one box a picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

POINTS = 2
"""Samples along each side of a bin."""


def roi_align(features: Tensor, boxes: Tensor, side: int, stride: int) -> Tensor:
    """(B, C, side, side) of features (B, C, h, w).

    Args:
        features: Cell (i, j) stands for the middle of its ``stride`` x ``stride`` pixels.
        boxes: (B, 4) left, top, right, bottom in pixels.
        side: Bins each way.
        stride: Pixels of a cell.
    """
    height, width = features.shape[-2:]
    places = (torch.arange(side * POINTS, device=boxes.device, dtype=boxes.dtype) + 0.5) / (side * POINTS)
    left, top, right, bottom = boxes[:, :, None].unbind(1)
    columns = (left + (right - left) * places) * (2 / (width * stride)) - 1
    rows = (top + (bottom - top) * places) * (2 / (height * stride)) - 1
    shape = (len(boxes), side * POINTS, side * POINTS)
    grid = torch.stack([columns[:, None, :].expand(shape), rows[:, :, None].expand(shape)], -1)
    sampled = F.grid_sample(features, grid.to(features), padding_mode="border", align_corners=False)
    return F.avg_pool2d(sampled, POINTS)
