"""Features carried along displacement fields, on the engine's device."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vss_ray.ops import warp


def carry(features: Tensor, displacement: NDArray[np.float16]) -> Tensor:
    """``features`` (h, w, C) float32 at x + displacement(x); the field (gh, gw, 2) is in cells of its own grid.

    On a CPU, as ``carry_both``; elsewhere see ``carry_batch``.
    """
    return torch.from_numpy(warp.warp(features.numpy(), _on_grid(displacement, features)))


def carry_both(
    before: Tensor,
    after: Tensor,
    to_before: NDArray[np.float16],
    to_after: NDArray[np.float16],
    weight: NDArray[np.float16],
) -> Tensor:
    """Both carried as ``carry`` does, and blended: ``weight`` (gh, gw) of ``before``, the rest of ``after``."""
    share = cv2.resize(weight.astype(np.float32), (before.shape[1], before.shape[0]))
    fields = _on_grid(to_before, before), _on_grid(to_after, after)
    blended = warp.blend_warped(before.numpy(), fields[0], after.numpy(), fields[1], share)  # type: ignore[arg-type]
    return torch.from_numpy(blended)


def carry_batch(*inputs: Tensor) -> tuple[Tensor]:
    """``carry`` of two, or ``carry_both`` of five inputs, each with a batch (B, ...), on the device where they are."""
    maps = [features.permute(0, 3, 1, 2) for features in inputs[: (len(inputs) + 1) // 3]]
    carried = [warp_features(each, field) for each, field in zip(maps, inputs[len(maps) :], strict=False)]
    if len(carried) == 1:
        return (carried[0].permute(0, 2, 3, 1),)
    before, after = carried
    share = F.interpolate(inputs[-1][:, None].float(), before.shape[-2:], mode="bilinear", align_corners=False)
    return (torch.lerp(after, before, share).permute(0, 2, 3, 1),)


def _on_grid(displacement: NDArray[np.float16], features: Tensor) -> NDArray[np.float32]:
    return warp.resize_displacement(displacement.astype(np.float32), *features.shape[:2])


def warp_features(features: Tensor, displacement: Tensor) -> Tensor:
    """Sample ``features`` at x + displacement(x), bilinear, border repeated.

    Args:
        features: (B, C, h, w).
        displacement: (B, gh, gw, 2) in cells of its own grid, channels (right, down).

    Returns:
        (B, C, h, w), the dtype of ``features``.
    """
    height, width = features.shape[-2:]
    field = displacement.permute(0, 3, 1, 2).float()
    # In shares of the picture, so that the grids need not agree; twice, because a picture spans from -1 to 1.
    share = torch.stack([field[:, 0] * 2 / field.shape[3], field[:, 1] * 2 / field.shape[2]], 1)
    share = F.interpolate(share, (height, width), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    identity = torch.eye(2, 3, device=field.device).expand(len(features), 2, 3)
    grid = F.affine_grid(identity, [len(features), 1, height, width], align_corners=False) + share
    warped = F.grid_sample(features.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return warped.to(features.dtype)
