"""Confusion counts and the ratios made of them. Counts add across frames and workers; ratios do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VOID = 255


def confusion(truth: NDArray[np.integer], predicted: NDArray[np.integer], num_classes: int) -> NDArray[np.int64]:
    """Count pixels by (true class, predicted class).

    Args:
        truth: Class per pixel; pixels outside ``[0, num_classes)`` are not scored.
        predicted: Class per pixel, same shape, all inside ``[0, num_classes)`` where ``truth`` is scored.
        num_classes: C.

    Returns:
        (C, C) int64, rows truth, columns prediction.

    Raises:
        ValueError: Shapes differ, or a scored pixel has no valid prediction.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth and prediction differ in shape: {truth.shape = }, {predicted.shape = }")
    scored = (truth >= 0) & (truth < num_classes)
    rows, columns = truth[scored].astype(np.int64), predicted[scored].astype(np.int64)
    if columns.size and not (columns.min() >= 0 and columns.max() < num_classes):
        raise ValueError(f"prediction outside [0, {num_classes}): {columns.min() = }, {columns.max() = }")
    return np.bincount(rows * num_classes + columns, minlength=num_classes**2).reshape(num_classes, num_classes)


def iou_per_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) per class; NaN for a class that neither truth nor prediction has."""
    true_positive = np.diag(counts).astype(np.float64)
    union = counts.sum(0) + counts.sum(1) - true_positive
    return np.divide(true_positive, union, out=np.full_like(true_positive, np.nan), where=union > 0)


def mean_iou(counts: NDArray[np.int64]) -> float:
    """Mean of ``iou_per_class`` over the classes that occur in the truth."""
    present = counts.sum(1) > 0
    return float(iou_per_class(counts)[present].mean()) if present.any() else float("nan")


def weighted_iou(counts: NDArray[np.int64]) -> float:
    """``iou_per_class`` weighted by how many pixels of the truth a class has (wIoU, FWIoU); NaN without any."""
    frequency = counts.sum(1)
    present = frequency > 0
    if not present.any():
        return float("nan")
    return float((iou_per_class(counts)[present] * frequency[present]).sum() / frequency.sum())


def pixel_accuracy(counts: NDArray[np.int64]) -> float:
    """Share of scored pixels whose class is right."""
    total = counts.sum()
    return float(np.trace(counts) / total) if total else float("nan")
