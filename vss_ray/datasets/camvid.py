"""CamVid in the SegNet layout: ``<split>/`` pictures, ``<split>annot/`` labels, one PNG per picture.

Brostow et al., Pattern Recognition Letters 2009; 11 classes and void (id 11 in the files) at 480x360. The stills of
``train`` are about a second apart; ``val`` here is the 15 Hz drive 0016E5_07959 to 08159, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.sequences import PictureFiles, pictures_in, read_picture, read_rgb
from vss_ray.errors import DataError
from vss_ray.metrics.confusion import VOID

TAXONOMY = "camvid"
FILE_VOID = 11
DRIVE_RATE = 15.0
"""Frames a second of ``val``: every second one of a 30 Hz recording."""


@dataclass(frozen=True)
class Still:
    """One picture and where its labels are."""

    image_path: Path
    label_path: Path

    def image(self) -> NDArray[np.uint8]:
        """RGB, (H, W, 3) uint8."""
        return read_rgb(self.image_path)

    def labels(self) -> NDArray[np.uint8]:
        """Class per pixel, (H, W) uint8; 255 is void."""
        return read_labels(self.label_path)


def sequences(root: Path, split: str) -> list[PictureFiles]:
    """``val`` is one sequence, the drive; every still of another split is one of its own.

    Raises:
        DataError: See ``stills``.
    """
    found = stills(root, split)
    groups = [found] if split == "val" else [[still] for still in found]
    return [
        PictureFiles(
            name=group[0].image_path.stem,
            taxonomy=TAXONOMY,
            rate=DRIVE_RATE,
            images=tuple(still.image_path for still in group),
            labels=tuple(still.label_path for still in group),
            read_labels=read_labels,
        )
        for group in groups
    ]


def stills(root: Path, split: str) -> list[Still]:
    """All pictures of ``root/split`` in order of name.

    Raises:
        DataError: The folders are missing or empty, or a picture has no labels.
    """
    images, annotations = root / split, root / f"{split}annot"
    found = pictures_in(images)
    if not found:
        raise DataError(f"no pictures in {images}; wanted CamVid in the SegNet layout ({split}/ and {split}annot/)")
    pairs = [Still(p, annotations / f"{p.stem}.png") for p in found]
    for pair in pairs:
        if not pair.label_path.exists():
            raise DataError(f"{pair.image_path} has no labels; wanted {pair.label_path}")
    return pairs


def count_pixels(root: Path, split: str = "train") -> NDArray[np.int64]:
    """(256,) pixels of every id in the labels of ``root/split``."""
    return np.sum([np.bincount(still.labels().ravel(), minlength=256) for still in stills(root, split)], axis=0)


def drive(root: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The consecutive, fully labelled frames of ``val``: (RGB, labels)."""
    for still in stills(root, "val"):
        yield still.image(), still.labels()


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Class per pixel of a file, (H, W) uint8; 255 is void."""
    labels = read_picture(path, cv2.IMREAD_GRAYSCALE)
    return np.where(labels == FILE_VOID, np.uint8(VOID), labels)
