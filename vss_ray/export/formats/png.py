"""Palette PNGs: ``<video_id>/<video_id>_<frame>.png``, ids for programs and colors for people, and ``classes.json``.

Where the classes are more than a palette holds, the pictures are gray with 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vss_ray.export.classes import classes_json
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import gray_png, palette_png
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.walk import Piece, Walk


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


class Pngs:
    """One picture a frame."""

    local = False

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        palette = walk.run.taxonomy.palette()

        def write(piece: Piece) -> None:
            for sample, path in zip(piece.samples(pixels=False), _files(piece), strict=True):
                ids = np.asarray(sample.ids)
                folder.write(path, gray_png(ids) if ids.dtype == np.uint16 else palette_png(ids, palette))

        folder.write("classes.json", classes_json(walk.run.taxonomy))
        yield from by_clip(walk, folder, _files, write)


def _files(piece: Piece) -> list[str]:
    return [f"{piece.clip.video_id}/{name}.png" for name in piece.names]


def build(_: Config) -> Pngs:
    """The format."""
    return Pngs()
