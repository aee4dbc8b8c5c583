"""Cityscapes sequences: snippets of 30 frames at 17 Hz, the 20th of which is labeled (Cordts et al., CVPR 2016).

``leftImg8bit_sequence/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png`` are the frames,
``gtFine/<split>/<city>/<city>_<seq>_<frame>_gtFine_labelIds.png`` the labels: 34 ids, of which 19 are scored.
"""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.sequences import PictureFiles, read_picture
from vss_ray.errors import DataError
from vss_ray.metrics.confusion import VOID

TAXONOMY = "cityscapes"
RATE = 17.0
LABELED, LENGTH = 19, 30
"""Place of the labeled frame in its snippet, counted from 0, and the snippet's length."""
SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Ids in the files, in the order of the 19 classes; all others are void."""
TRAIN_IDS = np.full(256, VOID, np.uint8)
TRAIN_IDS[list(SCORED)] = np.arange(len(SCORED))
FRAMES, LABELS = "leftImg8bit_sequence", "gtFine"


def sequences(root: Path, split: str) -> list[PictureFiles]:
    """A snippet for every labeled frame; frames at either end may be missing, the labeled one and its neighbors not.

    Raises:
        DataError: A folder is missing or empty, or a labeled frame has no picture.
    """
    labeled = sorted((root / LABELS / split).glob("*/*_gtFine_labelIds.png"))
    if not labeled:
        raise DataError(
            f"no labels in {root / LABELS / split}; wanted Cityscapes ({FRAMES}/ and {LABELS}/ with {split}/<city>/)"
        )
    return [_snippet(root / FRAMES / split, path) for path in labeled]


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Class per pixel of a file, (H, W) uint8; 255 is void."""
    return TRAIN_IDS[read_picture(path, cv2.IMREAD_GRAYSCALE)]


def _snippet(frames: Path, label_path: Path) -> PictureFiles:
    match = re.fullmatch(r"(.+)_(\d{6})_gtFine_labelIds", label_path.stem)
    if match is None:
        raise DataError(f"{label_path}: wanted a name such as aachen_000000_000019_gtFine_labelIds.png")
    name, number = match[1], int(match[2])
    folder = frames / label_path.parent.name
    before, behind = (
        list(takewhile(Path.exists, (folder / f"{name}_{i:06d}_leftImg8bit.png" for i in order)))
        for order in (range(number, number - LABELED - 1, -1), range(number + 1, number - LABELED + LENGTH))
    )
    if not before:
        raise DataError(f"{label_path} has no picture in {folder}; wanted frame {number:06d}")
    images = (*reversed(before), *behind)
    return PictureFiles(
        name=f"{name}_{number:06d}",
        taxonomy=TAXONOMY,
        rate=RATE,
        images=images,
        labels=tuple(label_path if path == before[0] else None for path in images),
        read_labels=read_labels,
    )
