"""OTB (Wu et al., TPAMI 2015) and folders like it: one or two objects a sequence.

``<sequence>/img/*.jpg`` are the frames, ``groundtruth_rect.txt`` the boxes, with commas, tabs or spaces between the
numbers; where there are several objects, ``groundtruth_rect.1.txt`` and so on. A row of NaN or without a size says that
the object is absent. Boxes begin with the first picture, but for ``FIRST``; pictures after the last box are left out.
"""

from __future__ import annotations

from pathlib import Path

from vss_ray.datasets.box_files import BoxFiles, read_boxes
from vss_ray.datasets.sequences import pictures_in
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.errors import ConfigError, DataError
from vss_ray.metrics.boxes import is_box

RATE = 30.0
FIRST = {"David": "0300"}
"""The picture of the first box, where earlier ones are there too."""
TRUTH = "groundtruth_rect"


def sequences(root: Path, split: str) -> list[BoxFiles]:
    """One for every folder with boxes, in order of name; ``all`` is the only split.

    Raises:
        ConfigError: Another split.
        DataError: There are no sequences, or one has more boxes than pictures.
    """
    if split != "all":
        raise ConfigError(f"otb has no split {split!r}; there is all")
    folders = sorted({path.parent for path in root.glob(f"*/{TRUTH}*.txt")})
    if not folders:
        raise DataError(f"no boxes in {root}; wanted OTB (<sequence>/{TRUTH}.txt and <sequence>/img/)")
    return [_sequence(folder) for folder in folders]


def _sequence(folder: Path) -> BoxFiles:
    files = sorted(folder.glob(f"{TRUTH}*.txt"))
    boxes = {number: read_boxes(path) for number, path in enumerate(files, 1)}
    first = FIRST.get(folder.name, "")
    images = [path for path in pictures_in(folder / "img") if path.stem >= first]
    longest = max(map(len, boxes.values()))
    if not 0 < longest <= len(images):
        raise DataError(f"{folder} has {len(images)} pictures and {longest} boxes; wanted one box a picture")
    objects = {each: TrackedObject(start=int(is_box(rows).argmax())) for each, rows in boxes.items()}
    return BoxFiles(folder.name, RATE, objects, tuple(images[:longest]), boxes)
