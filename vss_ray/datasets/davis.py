"""DAVIS 2016 (Perazzi et al., CVPR 2016) and 2017 (Pont-Tuset et al., 2017), 480p.

``JPEGImages/480p/<sequence>/*.jpg`` are the frames, ``Annotations/480p/<sequence>/*.png`` the masks, one a frame; of
the test splits of 2017, the first alone. A split is named by its year and its list, such as ``2017/val``, which is
``ImageSets/2017/val.txt``; where there is no ``ImageSets``, every sequence belongs to it. What is not black is the one
object of 2016; in 2017 the indices of the files are the objects, which are all on the first frame.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.mask_files import MaskFiles, read_ids
from vss_ray.datasets.sequences import pictures_in, read_picture
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.errors import ConfigError, DataError
from vss_ray.metrics.confusion import VOID

RATE = 24.0
ONE_OBJECT = "2016"
SPLITS = ("2016/train", "2016/val", "2017/train", "2017/val", "2017/test-dev", "2017/test-challenge")
IMAGES, MASKS, LISTS = "JPEGImages/480p", "Annotations/480p", "ImageSets"


def sequences(root: Path, split: str) -> list[MaskFiles]:
    """One for every sequence of the split, in the order of its list; of 2017 the first masks are read.

    Raises:
        ConfigError: No such split.
        DataError: The list, a sequence, or the masks of a frame are missing.
    """
    if split not in SPLITS:
        raise ConfigError(f"davis has no split {split!r}; there is {', '.join(SPLITS)}")
    if not (root / MASKS).is_dir():
        raise DataError(f"no masks in {root / MASKS}; wanted DAVIS ({IMAGES}/ and {MASKS}/ with <sequence>/)")
    return [_sequence(root, name, split) for name in _names(root, split)]


def read_foreground(path: Path) -> NDArray[np.uint8]:
    """1 where a file is not black, (H, W)."""
    return (read_picture(path, cv2.IMREAD_GRAYSCALE) != 0).astype(np.uint8)


def _names(root: Path, split: str) -> list[str]:
    if not (root / LISTS).is_dir():
        return sorted(path.name for path in (root / MASKS).iterdir() if path.is_dir())
    listed = root / LISTS / f"{split}.txt"
    # The archive of 2016 has its own form: pairs of files, /JPEGImages/480p/<sequence>/00000.jpg and its mask.
    pairs = root / LISTS / "480p" / f"{Path(split).name}.txt"
    if split.startswith(ONE_OBJECT) and not listed.is_file() and pairs.is_file():
        return list(dict.fromkeys(Path(line.split()[0]).parent.name for line in pairs.read_text().splitlines() if line))
    if not listed.is_file():
        raise DataError(f"{listed} is missing; wanted the names of the sequences of {split}, one a line")
    return listed.read_text().split()


def _sequence(root: Path, name: str, split: str) -> MaskFiles:
    images = pictures_in(root / IMAGES / name)
    if not images:
        raise DataError(f"no pictures in {root / IMAGES / name}; wanted the frames of {name}, which is in {split}")
    masks = [root / MASKS / name / f"{path.stem}.png" for path in images]
    withheld = "test" in split
    for image, path in zip(images[:1] if withheld else images, masks, strict=False):
        if not path.exists():
            raise DataError(f"{image} has no mask; wanted {path}")
    one = split.startswith(ONE_OBJECT)
    return MaskFiles(
        name=name,
        rate=RATE,
        objects={each: TrackedObject() for each in ([1] if one else _objects(masks[0]))},
        images=tuple(images),
        masks=(masks[0], *[None] * (len(masks) - 1)) if withheld else tuple(masks),
        read_ids=read_foreground if one else read_ids,
        withheld=withheld,
    )


def _objects(path: Path) -> list[int]:
    return [each for each in np.unique(read_ids(path)).tolist() if 0 < each < VOID]
