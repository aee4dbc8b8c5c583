"""How good an operating point is on a labelled drive: accuracy, by distance to the keyframe, and steadiness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import config, stages
from vss_ray.clips import Clip
from vss_ray.config import OperatingPoint
from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError
from vss_ray.frames import Frame
from vss_ray.metrics.confusion import confusion, iou_per_class, mean_iou
from vss_ray.metrics.consistency import video_consistency
from vss_ray.segmenters import Segmenter

WINDOW = 8
"""Frames of VC_n."""


@dataclass(frozen=True)
class Drive:
    """Consecutive frames, all labelled."""

    taxonomy: str
    rate: float
    """Frames a second."""
    images: Sequence[NDArray[np.uint8]]
    """(H, W, 3) RGB each."""
    labels: Sequence[NDArray[np.uint8]]
    """(H, W) each; 255 is not scored."""


@dataclass(frozen=True)
class Score:
    """What an operating point reached on a drive."""

    mean_iou: float
    iou: NDArray[np.float64]
    """(C,)"""
    by_distance: dict[int, float]
    """mIoU of the frames at each distance to the keyframe, confusion pooled."""
    consistency: float
    """mVC_8; NaN where no window has a steady pixel, and for a drive of 8 frames or fewer."""
    keyframe_share: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "mean_iou": self.mean_iou,
            "iou": [None if np.isnan(value) else float(value) for value in self.iou],
            "by_distance": {str(distance): value for distance, value in self.by_distance.items()},
            f"vc{WINDOW}": None if np.isnan(self.consistency) else self.consistency,
            "keyframe_share": self.keyframe_share,
        }


def load_drive(dataset: str, folder: Path) -> Drive:
    """The labelled drive of a dataset.

    Raises:
        ConfigError: No such dataset.
        DataError: The folder does not hold it.
    """
    if dataset != "camvid":
        raise ConfigError(f"no dataset {dataset!r}; there is camvid")
    images, labels = zip(*camvid.drive(folder), strict=True)
    return Drive(camvid.TAXONOMY, camvid.DRIVE_RATE, images, labels)


def score(point: OperatingPoint, drive: Drive, segmenter: Segmenter) -> Score:
    """Label the drive as one clip and compare.

    Args:
        point: Resolved.
        drive: The truth.
        segmenter: Built for ``point``; several points with the same segmenter can share it.

    Raises:
        ConfigError: The segmenter has other classes than the drive.
    """
    num_classes = len(segmenter.taxonomy)
    if segmenter.taxonomy.name != drive.taxonomy:
        raise ConfigError(f"the segmenter knows the classes of {segmenter.taxonomy.name}, the drive {drive.taxonomy}")
    height, width = drive.labels[0].shape
    frames = (Frame.from_rgb(image, i / drive.rate) for i, image in enumerate(drive.images))
    clip = _clip(len(drive.images), drive.rate, height, width)
    results = list(stages.label_clip(point, stages.build_method(point), segmenter, clip, frames))
    counts: dict[int, NDArray[np.int64]] = {}
    for truth, labels in zip(drive.labels, results, strict=True):
        counted = confusion(truth, labels.ids, num_classes)
        counts[labels.key_distance] = counts.get(labels.key_distance, 0) + counted
    total = np.sum(list(counts.values()), axis=0)
    windows = video_consistency(drive.labels, [r.ids for r in results], WINDOW)
    windows = windows[~np.isnan(windows)]
    return Score(
        mean_iou=mean_iou(total),
        iou=iou_per_class(total),
        by_distance={distance: mean_iou(counts[distance]) for distance in sorted(counts)},
        consistency=float(windows.mean()) if len(windows) else float("nan"),
        keyframe_share=sum(r.is_keyframe for r in results) / len(results),
    )


def _clip(num_frames: int, rate: float, height: int, width: int) -> Clip:
    return Clip(
        video_id="drive",
        source="drive",
        size_bytes=0,
        width=width,
        height=height,
        rotation=0,
        start=0,
        stop=num_frames,
        start_seconds=0.0,
        stop_seconds=num_frames / rate,
        first_pts=None,
        last_pts=None,
        origin_pts=0,
        seek_pts=None,
        num_packets=num_frames,
    )


def compare(
    dataset: str, folder: Path, config_name: str, overrides: Sequence[str], distances: Sequence[int]
) -> list[dict[str, Any]]:
    """Rows of a table: the network on every frame, then the operating point, then EVS-like variants of it.

    Args:
        dataset: Name of the dataset.
        folder: Where it is.
        config_name: Operating point.
        overrides: ``--set`` values.
        distances: Keyframe distances; each is tried with ``direction`` both and forward. None: the point as it is.
    """
    drive = load_drive(dataset, folder)
    baseline = config.load("per_frame", [o for o in overrides if o.startswith("segmenter.")]).resolved(has_cuda=False)
    variants = {"per_frame": baseline}
    if not distances:
        variants[config_name] = config.load(config_name, overrides).resolved(has_cuda=False)
    for direction in ("both", "forward") if distances else ():
        for every in distances:
            extra = [f"method.direction={direction}", f"keyframes.every={every}"]
            variants[f"{config_name}, {direction}, every {every}"] = config.load(
                config_name, [*overrides, *extra]
            ).resolved(has_cuda=False)
    segmenters: dict[str, Segmenter] = {}
    rows: list[dict[str, Any]] = []
    for name, point in variants.items():
        key = str(point.segmenter.to_dict())
        if key not in segmenters:
            segmenters[key] = stages.build_segmenter(point, threads=1, device="cpu")
        reached = score(point, drive, segmenters[key]).to_dict()
        first = rows[0]["mean_iou"] if rows else reached["mean_iou"]
        rows.append({"name": name, "difference": reached["mean_iou"] - first, **reached})
    return rows
