"""The layout of Cityscapes: ``gtFine/val/<city>/<city>_000000_<frame>_gtFine_labelIds.png`` and ``_labelTrainIds.png``.

A video is a city; as underscores part the fields of a name there, those of the video's name become hyphens. A class
goes by its name, then by its synonyms, to the Cityscapes label of that name; what has none becomes void (label 0, train
id 255), and a warning says which classes those are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vss_ray.datasets.cityscapes import SCORED
from vss_ray.errors import ConfigError
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import gray_png, rgb_png
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.walk import Piece, Walk
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.labels.taxonomy import Taxonomy

UNSCORED = {
    "ego vehicle": 1,
    "rectification border": 2,
    "out of roi": 3,
    "static": 4,
    "dynamic": 5,
    "ground": 6,
    "parking": 9,
    "rail track": 10,
    "guard rail": 14,
    "bridge": 15,
    "tunnel": 16,
    "polegroup": 18,
    "caravan": 29,
    "trailer": 30,
}
"""Labels that have no train id."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    pictures: bool = True
    """The frames too, as PNG in ``leftImg8bit``; without them no source is decoded."""


class Cityscapes:
    """Two label pictures a frame."""

    local = False

    def __init__(self, config: Config) -> None:
        self._config = config

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        label_ids, train_ids, nowhere = label_tables(walk.run.taxonomy)
        if nowhere:
            log.warning("cityscapes has no label for %s: void there (label id 0, train id 255)", ", ".join(nowhere))

        def write(piece: Piece) -> None:
            for sample, name in zip(piece.samples(self._config.pictures), _names(piece), strict=True):
                if sample.image is not None:
                    folder.write(f"leftImg8bit/{name}_leftImg8bit.png", rgb_png(sample.image))
                for kind, table in (("labelIds", label_ids), ("labelTrainIds", train_ids)):
                    folder.write(f"gtFine/{name}_gtFine_{kind}.png", gray_png(table[np.asarray(sample.ids)]))

        yield from by_clip(walk, folder, self._files, write)

    def _files(self, piece: Piece) -> list[str]:
        labels = [f"gtFine/{n}_gtFine_{kind}.png" for n in _names(piece) for kind in ("labelIds", "labelTrainIds")]
        return labels + [f"leftImg8bit/{n}_leftImg8bit.png" for n in _names(piece) if self._config.pictures]


def label_tables(taxonomy: Taxonomy) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[str]]:
    """Label id and train id of every id of a taxonomy, void included, and the classes that have neither.

    Raises:
        ConfigError: No class has a label.
    """
    scored = taxonomies.load("cityscapes")
    label_ids, train_ids = np.zeros(taxonomy.void + 1, np.uint8), np.full(taxonomy.void + 1, 255, np.uint8)
    nowhere = []
    for index, (name, aliases) in enumerate(zip(taxonomy.classes, taxonomy.aliases, strict=True)):
        for candidate in (name, *aliases):
            plain = candidate.lower().replace("_", " ")
            if plain in UNSCORED:
                label_ids[index] = UNSCORED[plain]
                break
            try:
                train_ids[index] = scored.index(candidate)
            except KeyError:
                continue
            label_ids[index] = SCORED[train_ids[index]]
            break
        else:
            nowhere.append(name)
    if len(nowhere) == len(taxonomy):
        raise ConfigError(
            f"none of the classes of {taxonomy.name} ({', '.join(nowhere[:10])}) is a label of Cityscapes, by name or "
            f"synonym; there is {', '.join(scored.classes)}; take another format"
        )
    return label_ids, train_ids, nowhere


def _names(piece: Piece) -> list[str]:
    city = piece.clip.video_id.replace("_", "-")
    return [f"val/{city}/{city}_000000_{number:06d}" for number in piece.numbers]


def build(config: Config) -> Cityscapes:
    """The format."""
    return Cityscapes(config)
