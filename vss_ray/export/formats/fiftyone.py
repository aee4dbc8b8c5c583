"""What FiftyOne's ``ImageSegmentationDirectory`` reads: ``data/`` with frames, ``labels/`` with gray masks.

FiftyOne takes 0 for background and does not show it: class 0 is 1, void is 0. ``mask_targets.json`` has the names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vss_ray.export.folder import Folder
from vss_ray.export.pictures import gray_png, jpeg
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.walk import Piece, Walk


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


class FiftyOne:
    """A frame and its mask under the same name in two folders."""

    local = False

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""

        def write(piece: Piece) -> None:
            for sample, (picture, mask) in zip(piece.samples(pixels=True), _pairs(piece), strict=True):
                folder.write(picture, jpeg(np.asarray(sample.image)))
                ids = np.asarray(sample.ids)
                folder.write(mask, gray_png(ids + ids.dtype.type(1)))  # void, the largest value, becomes 0

        targets = {str(value): name for value, name in enumerate(walk.run.taxonomy.classes, 1)}
        folder.write("mask_targets.json", (json.dumps(targets, indent=2) + "\n").encode())
        yield from by_clip(walk, folder, lambda piece: [file for pair in _pairs(piece) for file in pair], write)


def _pairs(piece: Piece) -> list[tuple[str, str]]:
    video_id = piece.clip.video_id
    return [(f"data/{video_id}/{name}.jpg", f"labels/{video_id}/{name}.png") for name in piece.names]


def build(_: Config) -> FiftyOne:
    """The format."""
    return FiftyOne()
