"""The layout of DAVIS 2017: palette PNGs in ``Annotations``, frames in ``JPEGImages``, sequences in ``ImageSets``.

As there, 0 is the background: class 0 is 1, void is 0; ``classes.json`` has the names. Of objects, values are their
ids; those that were found without pointing at one count from 1, their first is 1001. Frames keep their numbers, and
loaders that sort what they find read them in order. "480p" is the folder that loaders look for, whatever the size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vss_ray.errors import ConfigError
from vss_ray.export.classes import classes_json
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import jpeg, object_palette, palette_png
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.walk import Of, Piece, Walk
from vss_ray.tracking.pointers import LARGEST_ID

MASKS, PICTURES, LIST = "Annotations/480p", "JPEGImages/480p", "ImageSets/2017/val.txt"
DIGITS = 5
"""Of a frame's number; more where a video needs more."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    pictures: bool = True
    """The frames too; without them no source is decoded."""
    of: Of = "classes"
    """What the values mean."""


class Davis:
    """One folder a video."""

    local = False

    def __init__(self, config: Config) -> None:
        self._config = config

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        taxonomy, of = walk.run.taxonomy, self._config.of
        if len(taxonomy) > 255 and of == "classes":
            raise ConfigError(f"davis: a palette holds 255 classes and {taxonomy.name} has {len(taxonomy)}; take png")
        palette = np.roll(taxonomy.palette(), 1, axis=0) if of == "classes" else object_palette()

        def names(piece: Piece) -> list[str]:
            digits = max(DIGITS, len(str(walk.last_frame(piece.clip.video_id))))
            return [f"{piece.clip.video_id}/{number:0{digits}d}" for number in piece.numbers]

        def files(piece: Piece) -> list[str]:
            masks = [f"{MASKS}/{name}.png" for name in names(piece)]
            return masks + [f"{PICTURES}/{name}.jpg" for name in names(piece) if self._config.pictures]

        def write(piece: Piece) -> None:
            for sample, name in zip(piece.samples(self._config.pictures), names(piece), strict=True):
                if sample.image is not None:
                    folder.write(f"{PICTURES}/{name}.jpg", jpeg(sample.image))
                ids = np.asarray(sample.ids)
                # Of classes void, 255, becomes 0.
                values = ids.astype(np.uint8) + np.uint8(1) if of == "classes" else _objects(ids)
                folder.write(f"{MASKS}/{name}.png", palette_png(values, palette))

        if of == "classes":
            folder.write("classes.json", classes_json(taxonomy, offset=1))
        yield from by_clip(walk, folder, files, write)
        sequences = sorted({video_id for video_id, _ in folder.remembered()})
        folder.write(LIST, "".join(f"{name}\n" for name in sequences).encode())


def _objects(ids: NDArray) -> NDArray[np.uint8]:
    """Ids as a palette holds them.

    Raises:
        ConfigError: There are too many.
    """
    values = np.where(ids > LARGEST_ID, ids.astype(np.int64) - LARGEST_ID, ids)
    if values.max() > 255:
        raise ConfigError(f"davis: a palette holds 255 objects, and a video has one of id {values.max()}; take coco")
    return values.astype(np.uint8)


def build(config: Config) -> Davis:
    """The format."""
    return Davis(config)
