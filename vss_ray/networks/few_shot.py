"""Linear models fitted to a few samples: steepest descent with the step length of Gauss and Newton, written out.

A step goes along the gradient g = J^T r, by alpha = <g, g> / <J g, J g>. The models are linear and what stands behind
them is known, so that J needs no derivative by autograd: a fit works under ``inference_mode``, and in training is
differentiable as it stands. Scores are linear too and follow a step by what it changed: a step costs two correlations
and a gradient, where computing scores anew would cost a third.

Segmentation as Bhat et al., "Learning What to Learn for Video Object Segmentation", ECCV 2020, section 3; instance as
Paul et al., "Robust Visual Tracking by Segmentation", ECCV 2022, section 3.2. Objects (B) are fitted side by side and
know nothing of each other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

TARGET = 0.05
"""A label above it is the object's middle."""
BACKGROUND = 0.1
"""How much a score below zero counts where the object is not."""
INSTANCE_REGULARIZATION = 0.01
SMALLEST = 1e-8
"""Of what a step length is divided by."""


def correlate(features: Tensor, model: Tensor) -> Tensor:
    """(B, N, D, h', w') of features (B, N, C, h, w) and models (B, D, C, k, k), padded by k // 2.

    With an even k, h' is h + 1.
    """
    side = model.shape[-1]
    # Object by object: a convolution in groups takes twice to ten times as long.
    return torch.stack(
        [F.conv2d(own, filters, padding=side // 2) for own, filters in zip(features, model, strict=True)]
    )


def fit_segmentation(
    model: Tensor,
    features: Tensor,
    encodings: Tensor,
    importance: Tensor,
    weights: Tensor,
    regularization: Tensor | float,
    steps: int,
) -> Tensor:
    """Minimize the sum of ``|weight importance (features * model - encoding)|^2``, and ``|regularization model|^2``.

    The weight of a sample is inside the square, as in the authors' code.

    Args:
        model: (B, D, C, k, k) where the descent begins; k is odd.
        features: (B, N, C, h, w).
        encodings: (B, N, D, h, w), what masks are encoded as.
        importance: (B, N, D, h, w), what counts in them.
        weights: (B, N); 0 where there is no sample.
        regularization: A number that may learn.
        steps: How many.

    Returns:
        (B, D, C, k, k).
    """
    importance = importance * _per_sample(weights)
    scores = correlate(features, model)
    for _ in range(steps):
        residual = importance * (scores - encodings)
        model, scores = _step(model, features, scores, residual, importance, regularization)
    return model


def fit_instance(model: Tensor, features: Tensor, labels: Tensor, weights: Tensor, steps: int) -> list[Tensor]:
    """Minimize the sum over samples of ``weight |a(features * model) - m labels|^2``, and the regularization.

    m is 1 around the object and ``BACKGROUND`` elsewhere; a(s) is s, but m s below zero: where the object is not, being
    far below zero is no error.

    Args:
        model: (B, 1, C, k, k) where the descent begins.
        features: (B, N, C, h, w).
        labels: (B, N, 1, h', w'), see ``gaussian``.
        weights: (B, N); 0 where there is no sample.
        steps: How many.

    Returns:
        Models after 0, 1, ... steps.
    """
    near = ((labels > TARGET).to(labels) + BACKGROUND).clamp(max=1)
    root = _per_sample(weights.sqrt())
    scores = correlate(features, model)
    models = [model]
    for _ in range(steps):
        slope = torch.where(scores > 0, 1.0, near)
        residual = root * (slope * scores - near * labels)
        model, scores = _step(model, features, scores, residual, root * slope, INSTANCE_REGULARIZATION)
        models.append(model)
    return models


def gaussian(centers: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Labels (..., 1, height, width) that are 1 at ``centers`` (..., 2), rows and columns in cells."""
    rows, columns = (torch.arange(length, device=centers.device, dtype=centers.dtype) for length in size)
    down = (rows - centers[..., :1]) ** 2
    across = (columns - centers[..., 1:]) ** 2
    return torch.exp(-(down[..., :, None] + across[..., None, :]) / (2 * sigma**2))[..., None, :, :]


def _step(
    model: Tensor, features: Tensor, scores: Tensor, residual: Tensor, slope: Tensor, regularization: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Model and scores after a step; the Jacobian is ``slope`` (B, N, D, h', w') times the correlation."""
    gradient = _backproject(features, slope * residual, model) + regularization**2 * model
    change = correlate(features, gradient)
    squared = _total(gradient**2)
    curvature = _total((slope * change) ** 2) + regularization**2 * squared
    length = (squared / curvature.clamp(min=SMALLEST))[:, None, None, None, None]
    return model - length * gradient, scores - length * change


def _backproject(features: Tensor, errors: Tensor, model: Tensor) -> Tensor:
    """The transposed correlation: (B, D, C, k, k) of features (B, N, C, h, w) and errors (B, N, D, h', w')."""
    pairs = zip(features, errors, model, strict=True)
    return torch.stack([conv2d_weight(own, m.shape, error, padding=m.shape[-1] // 2) for own, error, m in pairs])


def _per_sample(weights: Tensor) -> Tensor:
    return weights[:, :, None, None, None]


def _total(values: Tensor) -> Tensor:
    return values.flatten(1).sum(1)
