"""Labeled sequences: what every dataset comes down to. They travel to workers as paths, and are read there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import DataError
from vss_ray.frames import Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class LabeledSequence(Protocol):
    """Consecutive frames; all, some or none of them labeled."""

    @property
    def name(self) -> str:
        """Unique in its dataset."""
        ...

    @property
    def taxonomy(self) -> str | None:
        """What the ids mean; None where nothing is labeled."""
        ...

    @property
    def rate(self) -> float:
        """Frames a second."""
        ...

    @property
    def num_frames(self) -> int:
        """How many there are."""
        ...

    def frames(self) -> Iterator[tuple[Frame, NDArray[np.uint8] | None]]:
        """Frames in order, from the first at every call, each with its (H, W) labels or None; 255 is not scored.

        Raises:
            DataError: A file cannot be read, or labels are of another size than their picture.
        """
        ...


@dataclass(frozen=True)
class PictureFiles:
    """A sequence of one picture file a frame."""

    name: str
    taxonomy: str | None
    rate: float
    images: tuple[Path, ...]
    labels: tuple[Path | None, ...]
    """As many as ``images``."""
    read_labels: Callable[[Path], NDArray[np.uint8]]
    """(H, W) class ids from a file of labels; a function of a module, so that it travels."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise ValueError(f"{self.name}: {len(self.images) = }, {len(self.labels) = } differ")

    @property
    def num_frames(self) -> int:
        """See ``LabeledSequence``."""
        return len(self.images)

    def frames(self) -> Iterator[tuple[Frame, NDArray[np.uint8] | None]]:
        """See ``LabeledSequence``."""
        for i, (image_path, label_path) in enumerate(zip(self.images, self.labels, strict=True)):
            image = read_rgb(image_path)
            labels = None if label_path is None else self.read_labels(label_path)
            if labels is not None and labels.shape != image.shape[:2]:
                (h, w), (height, width) = labels.shape, image.shape[:2]
                raise DataError(f"{label_path} is {w}x{h} pixels, its picture {image_path} {width}x{height}")
            yield Frame.from_rgb(image, i / self.rate), labels


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder in order of name; none where there is no folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture, (H, W, 3) RGB.

    Raises:
        DataError: See ``read_picture``.
    """
    return cast("NDArray[np.uint8]", cv2.cvtColor(read_picture(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def read_picture(path: Path, mode: int) -> NDArray[np.uint8]:
    """A picture as OpenCV reads it in ``mode``.

    Raises:
        DataError: It is none.
    """
    picture = cv2.imread(str(path), mode)
    if picture is None:
        raise DataError(f"{path} is not a picture that OpenCV can read")
    return cast("NDArray[np.uint8]", picture)
