"""Losses of a tracker: of an object's mask, and of the map on which its center is to be a peak."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vss_ray.metrics.confusion import VOID
from vss_ray.training.losses import lovasz_extension

NEAR = 0.05
"""Labels below this belong to the background of a score map."""


def lovasz_foreground(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Lovasz-softmax of the foreground alone, on its probability, over all pixels of the batch at once.

    Berman et al., CVPR 2018, with classes = {foreground} and per_image off; not their hinge on logits.

    Args:
        probabilities: (N, H, W) of the object, that is sigmoid of its logits.
        masks: (N, H, W) 1 where the object is, 0 elsewhere; 255 counts for nothing.
    """
    scored = masks != VOID
    if not scored.any():
        return probabilities.float().sum() * 0
    return lovasz_extension(probabilities.float()[scored][None], masks[scored][None].float())[0]


def lb_hinge(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean square of what a score map misses, where scores below zero are as good as zero on the background.

    Bhat et al., ICCV 2019 (DiMP), equation 8, with labels below ``NEAR`` as background: there only the positive part of
    a score counts, against 0; elsewhere the score itself counts, against the label.

    Args:
        scores: (..., h, w).
        labels: The same shape; a Gaussian with its peak, 1, at the center of the object.
    """
    background = labels < NEAR
    missed = (scores.float() - labels.float()).where(~background, F.relu(scores.float()))
    return missed.square().mean()
