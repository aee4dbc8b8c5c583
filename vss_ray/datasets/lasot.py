"""LaSOT (Fan et al., CVPR 2019): one object a sequence, which may be away for a while.

``<class>/<class>-<n>/img/*.jpg`` are the frames, ``groundtruth.txt`` beside them the boxes; ``full_occlusion.txt`` and
``out_of_view.txt`` say on which frames it is absent. ``testing_set.txt`` and ``training_set.txt`` list the sequences of
a split; where neither is there, every sequence belongs to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vss_ray.datasets.box_files import BoxFiles, read_boxes, read_flags
from vss_ray.datasets.sequences import pictures_in
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.errors import ConfigError, DataError

RATE = 30.0
SPLITS = {"train": "training_set.txt", "test": "testing_set.txt"}
ABSENT = ("full_occlusion.txt", "out_of_view.txt")
TRUTH = "groundtruth.txt"


def sequences(root: Path, split: str) -> list[BoxFiles]:
    """One for every sequence of the split, in the order of its list.

    Raises:
        ConfigError: No such split.
        DataError: The list, a sequence or a file of it is missing, or they differ in length.
    """
    if split not in SPLITS:
        raise ConfigError(f"lasot has no split {split!r}; there is {', '.join(SPLITS)}")
    return [_sequence(root / _category(name) / name) for name in _names(root, split)]


def _names(root: Path, split: str) -> list[str]:
    listed = root / SPLITS[split]
    if listed.is_file():
        return listed.read_text().split()
    if any((root / each).is_file() for each in SPLITS.values()):
        raise DataError(f"{listed} is missing; wanted the names of the sequences, one a line")
    found = [path.parent for path in root.glob(f"*/*/{TRUTH}")]
    if not found:
        raise DataError(f"no boxes in {root}; wanted LaSOT (<class>/<class>-<n>/{TRUTH} and img/)")
    return [path.name for path in sorted(found, key=lambda path: (_category(path.name), len(path.name), path.name))]


def _sequence(folder: Path) -> BoxFiles:
    images, boxes = pictures_in(folder / "img"), read_boxes(folder / TRUTH)
    if len(images) != len(boxes):
        raise DataError(f"{folder} has {len(images)} pictures and {len(boxes)} boxes; wanted one box a picture")
    for name in ABSENT:
        boxes[read_flags(folder / name, len(boxes)) != 0] = np.nan
    objects = {1: TrackedObject(category=_category(folder.name))}
    return BoxFiles(folder.name, RATE, objects, tuple(images), {1: boxes})


def _category(name: str) -> str:
    return name.rpartition("-")[0]
