"""GOT-10k (Huang et al., TPAMI 2021): one object a sequence, 10 labeled frames a second.

``<split>/list.txt`` names the sequences; ``<split>/<sequence>/*.jpg`` are the frames, ``groundtruth.txt`` the boxes,
``cover.label`` how much of the object is visible, in eighths: frames with 0 are not scored, it counts as absent.
``meta_info.ini`` knows its class. Of ``test`` only the first box is public.
"""

from __future__ import annotations

import configparser
from pathlib import Path

import numpy as np

from vss_ray.datasets.box_files import BoxFiles, read_boxes, read_flags
from vss_ray.datasets.sequences import pictures_in
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.errors import ConfigError, DataError

RATE = 10.0
SPLITS = ("train", "val", "test")


def sequences(root: Path, split: str) -> list[BoxFiles]:
    """One for every sequence of the split, in the order of its list.

    Raises:
        ConfigError: No such split.
        DataError: The list, a sequence or a file of it is missing, or they differ in length.
    """
    if split not in SPLITS:
        raise ConfigError(f"got10k has no split {split!r}; there is {', '.join(SPLITS)}")
    listed = root / split / "list.txt"
    if not listed.is_file():
        raise DataError(f"{listed} is missing; wanted GOT-10k ({split}/list.txt and {split}/<sequence>/)")
    return [_sequence(root / split / name, split) for name in listed.read_text().split()]


def _sequence(folder: Path, split: str) -> BoxFiles:
    images, boxes = pictures_in(folder), read_boxes(folder / "groundtruth.txt")
    withheld = split == "test"
    if not images or len(boxes) != (1 if withheld else len(images)):
        wanted = "one box, of the first picture" if withheld else "one box a picture"
        raise DataError(f"{folder} has {len(images)} pictures and {len(boxes)} boxes; wanted {wanted}")
    if not withheld:
        boxes[read_flags(folder / "cover.label", len(boxes)) == 0] = np.nan
    return BoxFiles(folder.name, RATE, {1: TrackedObject(category=_category(folder))}, tuple(images), {1: boxes})


def _category(folder: Path) -> str | None:
    meta = configparser.ConfigParser(interpolation=None)
    try:
        meta.read(folder / "meta_info.ini")
    except configparser.Error as error:
        raise DataError(f"{folder / 'meta_info.ini'}: {error}") from error
    return meta.get("METAINFO", "object_class", fallback=None)
