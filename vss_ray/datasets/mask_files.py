"""Tracked sequences of one picture and one map of object ids a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.sequences import read_rgb
from vss_ray.datasets.tracked import Box, TrackedObject, Truth
from vss_ray.errors import DataError
from vss_ray.frames import Frame
from vss_ray.media.png import png_ids


@dataclass(frozen=True)
class MaskFiles:
    """See ``TrackedSequence``."""

    name: str
    rate: float
    objects: Mapping[int, TrackedObject]
    images: tuple[Path, ...]
    masks: tuple[Path | None, ...]
    """As many as ``images``."""
    read_ids: Callable[[Path], NDArray[np.uint8]]
    """(H, W) object ids from a file of masks; a function of a module, so that it travels."""
    withheld: bool = False
    """Whether masks show an object only where it is given, as in the public part of a test split."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.masks):
            raise ValueError(f"{self.name}: {len(self.images) = }, {len(self.masks) = } differ")

    @property
    def num_frames(self) -> int:
        """See ``TrackedSequence``."""
        return len(self.images)

    def frames(self) -> Iterator[tuple[Frame, Truth | None]]:
        """See ``TrackedSequence``."""
        for number, (image_path, mask_path) in enumerate(zip(self.images, self.masks, strict=True)):
            image = read_rgb(image_path)
            truth = None if mask_path is None else self._truth(number, mask_path)
            if truth is not None and truth.ids is not None and truth.ids.shape != image.shape[:2]:
                (h, w), (height, width) = truth.ids.shape, image.shape[:2]
                raise DataError(f"{mask_path} is {w}x{h} pixels, its picture {image_path} {width}x{height}")
            yield Frame.from_rgb(image, number / self.rate), truth

    def _truth(self, number: int, path: Path) -> Truth:
        ids = self.read_ids(path)
        shown = [
            each
            for each, known in self.objects.items()
            if known.start == number or (known.start < number and not self.withheld)
        ]
        return Truth({each: tight_box(ids == each) for each in shown}, ids)


def read_ids(path: Path) -> NDArray[np.uint8]:
    """Object per pixel of an indexed or gray PNG, (H, W).

    Raises:
        DataError: It is none, or has more than 256 ids.
    """
    try:
        ids = png_ids(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    if ids.dtype != np.uint8:
        raise DataError(f"{path} has ids of 16 bits; wanted an indexed PNG of 8")
    return cast("NDArray[np.uint8]", ids)


def tight_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box around the pixels of a mask (H, W); None where there are none."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return (x, y, width, height) if width else None
