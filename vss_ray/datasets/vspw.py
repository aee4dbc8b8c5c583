"""VSPW (Miao et al., CVPR 2021): every frame labeled at 15 Hz, 124 classes.

``data/<video>/origin/*.jpg`` are the frames, ``data/<video>/mask/*.png`` the labels, ``train.txt``, ``val.txt`` and
``test.txt`` list the videos of a split, one a line; ``test`` has no labels. Ids in the files go from 1 to 124; 0 is
"others" and 255 void, and the authors ask that both be left out.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.sequences import PictureFiles, pictures_in, read_picture
from vss_ray.errors import ConfigError, DataError
from vss_ray.metrics.confusion import VOID

TAXONOMY = "vspw"
RATE = 15.0
SPLITS = ("train", "val", "test")
NUM_CLASSES = 124
CLASS_IDS = np.full(256, VOID, np.uint8)
CLASS_IDS[1 : NUM_CLASSES + 1] = np.arange(NUM_CLASSES)


def sequences(root: Path, split: str) -> list[PictureFiles]:
    """One for every video of the split, in the order of its list.

    Raises:
        ConfigError: No such split.
        DataError: The list, a video, or the labels of a frame are missing.
    """
    if split not in SPLITS:
        raise ConfigError(f"vspw has no split {split!r}; there is {', '.join(SPLITS)}")
    listed = root / f"{split}.txt"
    if not listed.is_file():
        raise DataError(f"{listed} is missing; wanted VSPW ({', '.join(f'{s}.txt' for s in SPLITS)} and data/<video>/)")
    return [_video(root / "data" / name, split) for name in listed.read_text().split()]


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Class per pixel of a file, (H, W) uint8; 255 is void."""
    return CLASS_IDS[read_picture(path, cv2.IMREAD_GRAYSCALE)]


def _video(folder: Path, split: str) -> PictureFiles:
    images = pictures_in(folder / "origin")
    if not images:
        raise DataError(f"no pictures in {folder / 'origin'}, which {split}.txt lists")
    labels: list[Path | None] = [None] * len(images)
    if split != "test":
        masks = [folder / "mask" / f"{path.stem}.png" for path in images]
        for image, path in zip(images, masks, strict=True):
            if not path.exists():
                raise DataError(f"{image} has no labels; wanted {path}")
        labels = [*masks]
    taxonomy = None if split == "test" else TAXONOMY
    return PictureFiles(folder.name, taxonomy, RATE, tuple(images), tuple(labels), read_labels)
