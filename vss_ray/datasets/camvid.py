"""CamVid in the SegNet layout: ``<split>/`` pictures, ``<split>annot/`` labels, one PNG per picture.

Brostow et al., Pattern Recognition Letters 2009; 11 classes and void (id 11 in the files) at 480x360. The stills of
``train`` are about a second apart; ``val`` here is the 15 Hz drive 0016E5_07959 to 08159, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import DataError
from vss_ray.metrics.confusion import VOID

TAXONOMY = "camvid"
FILE_VOID = 11
DRIVE_RATE = 15.0
"""Frames a second of ``val``: every second one of a 30 Hz recording."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Still:
    """One picture and where its labels are."""

    image_path: Path
    label_path: Path

    def image(self) -> NDArray[np.uint8]:
        """RGB, (H, W, 3) uint8."""
        return cast("NDArray[np.uint8]", cv2.cvtColor(_read(self.image_path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))

    def labels(self) -> NDArray[np.uint8]:
        """Class per pixel, (H, W) uint8; 255 is void."""
        labels = _read(self.label_path, cv2.IMREAD_GRAYSCALE)
        return np.where(labels == FILE_VOID, np.uint8(VOID), labels)


def stills(root: Path, split: str) -> list[Still]:
    """All pictures of ``root/split`` in order of name.

    Raises:
        DataError: The folders are missing or empty, or a picture has no labels.
    """
    images, annotations = root / split, root / f"{split}annot"
    found = sorted(p for p in images.glob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"no pictures in {images}; wanted CamVid in the SegNet layout ({split}/ and {split}annot/)")
    pairs = [Still(p, annotations / f"{p.stem}.png") for p in found]
    for pair in pairs:
        if not pair.label_path.exists():
            raise DataError(f"{pair.image_path} has no labels; wanted {pair.label_path}")
    return pairs


def drive(root: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The consecutive, fully labelled frames of ``val``: (RGB, labels)."""
    for still in stills(root, "val"):
        yield still.image(), still.labels()


def _read(path: Path, mode: int) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise DataError(f"{path} is not a picture that OpenCV can read")
    return cast("NDArray[np.uint8]", picture)
