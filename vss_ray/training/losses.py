"""Losses on logits and labels. Pixels labelled 255 count for nothing."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vss_ray.metrics.confusion import VOID


def class_weights(pixels: NDArray[np.int64], power: float = 0.5, limit: float = 5.0) -> Tensor:
    """Weight per class from counts of pixels: ``share ** -power`` with mean 1 over pixels, cut at ``limit``."""
    share = np.maximum(pixels, 1) / pixels.sum()
    weights = share**-power
    weights /= (weights * share).sum()
    return torch.tensor(np.minimum(weights, limit), dtype=torch.float32)


def upsampled_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy of ``logits`` (N, C, h, w), enlarged bilinearly to the size of ``labels`` (N, H, W)."""
    enlarged = F.interpolate(logits.float(), labels.shape[-2:], mode="bilinear", align_corners=False)
    return F.cross_entropy(enlarged, labels, weights, ignore_index=VOID)


def lovasz_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss, mean over the classes present in the batch.

    Berman et al., CVPR 2018, Algorithm 1 and equation 11. ``logits`` (N, C, h, w); ``labels`` (N, H, W) are sampled
    (nearest) to the size of the logits.
    """
    num_classes = logits.shape[1]
    small = F.interpolate(labels[:, None].float(), logits.shape[-2:], mode="nearest")[:, 0].long()
    scored = small != VOID
    probabilities = logits.float().softmax(1).permute(0, 2, 3, 1)[scored]  # (pixels, C)
    truth = F.one_hot(small[scored], num_classes).T  # (C, pixels)
    present = truth.sum(1) > 0
    if not present.any():
        return logits.sum() * 0
    return lovasz_extension(probabilities.T[present], truth[present].float()).mean()


def lovasz_extension(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss of every row, (rows,).

    Args:
        probabilities: (rows, pixels) of being in the set.
        truth: (rows, pixels) 1 for pixels in it and 0 for others; of an empty set, the loss is the largest probability.
    """
    errors, order = (truth - probabilities).abs().sort(1, descending=True)
    truth = truth.gather(1, order)
    total = truth.sum(1, keepdim=True)
    jaccard = 1 - (total - truth.cumsum(1)) / (total + (1 - truth).cumsum(1))
    gradient = torch.cat([jaccard[:, :1], jaccard.diff(dim=1)], 1)
    return (errors * gradient).sum(1)


def distillation_kl(
    student_logits: Tensor, teacher_logits: Tensor, mask: Tensor | None = None, *, temperature: float = 1.0
) -> Tensor:
    """Kullback-Leibler divergence of the student's classes from the teacher's, mean over pixels.

    Hinton et al., 2015, section 2. No gradient reaches the teacher.

    Args:
        student_logits: (N, C, h, w).
        teacher_logits: (N, C, h, w).
        mask: (N, h, w) pixels that count; all where absent, and the loss is 0 where it is empty.
        temperature: Both logits are divided by it, and the loss is multiplied by its square.
    """
    wanted = (teacher_logits.detach().float() / temperature).log_softmax(1)
    given = (student_logits.float() / temperature).log_softmax(1)
    divergence = (wanted.exp() * (wanted - given)).sum(1) * temperature**2
    if mask is None:
        return divergence.mean()
    return (divergence * mask).sum() / mask.sum().clamp(min=1)
