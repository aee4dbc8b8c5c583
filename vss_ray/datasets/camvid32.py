"""CamVid as its authors publish it: 960x720, 32 classes in color, brought to the 11 classes of the SegNet protocol.

Brostow et al., Pattern Recognition Letters 2009. ``701_StillsRaw_full/`` holds the pictures, ``LabeledApproved_full/``
their labels (``<picture>_L.png``), ``label_colors.txt`` the colors of the classes. Most pictures are a second apart;
the drive 0016E5_07959 to 08159 has every second frame of 30 Hz, and is what ``val`` means here and in SegNet's layout.

SegNet's authors published labels of 11 classes, not the list by which they made them. The one here is that of the usual
reproductions (MathWorks' among them); others leave the rarest, all of them under 0.1 % of the pixels, as void.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.camvid import DRIVE_RATE, TAXONOMY
from vss_ray.datasets.sequences import PictureFiles, pictures_in, read_rgb
from vss_ray.errors import ConfigError, DataError
from vss_ray.labels import taxonomy
from vss_ray.metrics.confusion import VOID

IMAGES, LABELS, COLORS = "701_StillsRaw_full", "LabeledApproved_full", "label_colors.txt"
MEMBERS = {
    "sky": ("Sky",),
    "building": ("Archway", "Bridge", "Building", "Tunnel", "Wall"),
    "pole": ("Column_Pole", "TrafficCone"),
    "road": ("LaneMkgsDriv", "LaneMkgsNonDriv", "Road"),
    "pavement": ("ParkingBlock", "RoadShoulder", "Sidewalk"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("Misc_Text", "SignSymbol", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "OtherMoving", "SUVPickupTruck", "Train", "Truck_Bus"),
    "pedestrian": ("Animal", "CartLuggagePram", "Child", "Pedestrian"),
    "bicyclist": ("Bicyclist", "MotorcycleScooter"),
}
"""Class of the 11 -> classes of the 32; Void is void."""
DRIVE_STEP = 2
"""Frames of the recording between two pictures of the drive."""

Colors = tuple[tuple[int, int], ...]
"""(RGB as one number, id) of every class."""


def sequences(root: Path, split: str) -> list[PictureFiles]:
    """The stretches in which every second frame is labeled.

    Raises:
        ConfigError: A split other than val: nothing else moves.
        DataError: A folder, the colors, or the labels of a picture are missing.
    """
    if split != "val":
        raise ConfigError(f"camvid32 has no split {split!r}; there is val, the drive at 15 Hz")
    found = pictures_in(root / IMAGES)
    if not found:
        raise DataError(f"no pictures in {root / IMAGES}; wanted CamVid as published ({IMAGES}/, {LABELS}/, {COLORS})")
    read = partial(read_labels, colors=read_colors(root / COLORS))
    stretches: list[list[Path]] = []
    for path in found:
        before = _place(stretches[-1][-1]) if stretches else None
        recording, number = _place(path)
        if before == (recording, number - DRIVE_STEP):
            stretches[-1].append(path)
        else:
            stretches.append([path])
    drives = [stretch for stretch in stretches if len(stretch) > 1]
    if not drives:
        raise DataError(f"{root / IMAGES}: no two pictures are {DRIVE_STEP} frames apart; wanted the drive of 0016E5")
    return [_sequence(root, images, read) for images in drives]


def read_colors(path: Path) -> Colors:
    """``label_colors.txt``: lines of red, green, blue and a name; names that are none of the 11 classes' are void.

    Raises:
        DataError: The file is missing, or lacks a class.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; it comes with CamVid's labels")
    ids = {member: taxonomy.load(TAXONOMY).index(cls) for cls, members in MEMBERS.items() for member in members}
    rows = [
        match.groups() for match in re.finditer(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)", path.read_text(), re.MULTILINE)
    ]
    missing = ids.keys() - {name for *_, name in rows}
    if missing:
        raise DataError(f"{path} has no color for {', '.join(sorted(missing))}; wanted a line 'R G B name' for each")
    return tuple((int(r) << 16 | int(g) << 8 | int(b), ids[name]) for r, g, b, name in rows if name in ids)


def read_labels(path: Path, colors: Colors) -> NDArray[np.uint8]:
    """Class per pixel of a colored file, (H, W) uint8; what has no class's color is void."""
    packed = read_rgb(path).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    known, ids = (np.array(column) for column in zip(*sorted(colors), strict=True))
    nearest = np.searchsorted(known, packed).clip(0, len(known) - 1)
    return np.where(known[nearest] == packed, ids[nearest], VOID).astype(np.uint8)


def _sequence(root: Path, images: list[Path], read: partial[NDArray[np.uint8]]) -> PictureFiles:
    labels = [root / LABELS / f"{path.stem}_L.png" for path in images]
    for image, path in zip(images, labels, strict=True):
        if not path.exists():
            raise DataError(f"{image} has no labels; wanted {path}")
    return PictureFiles(images[0].stem, TAXONOMY, DRIVE_RATE, tuple(images), tuple(labels), read)


def _place(path: Path) -> tuple[str, int]:
    """Recording and number of frame, from names such as 0016E5_07959 and 0006R0_f00930."""
    match = re.fullmatch(r"(.+?)_f?(\d+)", path.stem)
    return (match[1], int(match[2])) if match else (path.stem, -1)
