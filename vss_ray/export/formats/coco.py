"""COCO: panoptic PNGs with their JSON, and the objects of thing classes as run-length encoded instances.

``images/``, ``panoptic/`` with a folder a video, ``annotations/panoptic.json`` and ``annotations/instances.json``.
Category 1 is class 0. What a clip adds to the JSON is remembered beside its pictures; at the end one clip after the
other is written out, so that memory does not grow with the run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import numpy as np

from vss_ray.errors import ConfigError
from vss_ray.export.coco_tracks import CocoTracks
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import jpeg, rgb_png
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.rle import coco_counts
from vss_ray.export.segments import segments
from vss_ray.export.walk import Of, Piece, Sample, Walk
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.labels.things import things


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    pictures: bool = True
    """The frames too, as JPEG; without them no source is decoded."""
    things: tuple[str, ...] | None = None
    """Classes whose objects are told apart; None: those that are things in COCO or Cityscapes."""
    of: Of = "classes"
    """Whether masks hold classes, or objects that were followed: then there are instances with ``track_id`` only."""


class Coco:
    """Panoptic and instance annotations."""

    local = False

    def __init__(self, config: Config) -> None:
        self._config = config

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        taxonomy = walk.run.taxonomy
        countable = self._things(taxonomy)

        def write(piece: Piece) -> list[dict[str, Any]]:
            rows = []
            for sample, files in zip(piece.samples(self._config.pictures), _names(piece), strict=True):
                if sample.image is not None:
                    folder.write(f"images/{files}.jpg", jpeg(sample.image))
                panoptic, row = _annotated(sample, piece, taxonomy, countable)
                folder.write(f"panoptic/{files}.png", rgb_png(panoptic, areas=True))
                rows.append(row | {"file": files})
            return rows

        yield from by_clip(walk, folder, self._files, write)
        for name, listed in (("panoptic", _panoptic), ("instances", _instances)):
            with folder.create(f"annotations/{name}.json") as path, path.open("w", encoding="utf-8") as file:
                _write(file, folder, _categories(taxonomy, countable, name), listed)

    def _things(self, taxonomy: Taxonomy) -> frozenset[int]:
        if self._config.things is None:
            return things(taxonomy)
        try:
            return frozenset(taxonomy.index(name) for name in self._config.things)
        except KeyError as error:
            raise ConfigError(f"things: {error.args[0]}") from error

    def _files(self, piece: Piece) -> list[str]:
        panoptic = [f"panoptic/{name}.png" for name in _names(piece)]
        return panoptic + [f"images/{name}.jpg" for name in _names(piece) if self._config.pictures]


def _names(piece: Piece) -> list[str]:
    return [f"{piece.clip.video_id}/{name}" for name in piece.names]


def _annotated(sample: Sample, piece: Piece, taxonomy: Taxonomy, countable: frozenset[int]) -> tuple[Any, dict]:
    """The panoptic picture, whose colors are segment ids, and what the JSON files say of it."""
    height, width = piece.clip.height, piece.clip.width
    numbers = np.zeros((height, width), np.uint32)
    rows = []
    for number, segment in enumerate(segments(np.asarray(sample.ids), len(taxonomy), countable), 1):
        numbers[segment.place][segment.mask] = number
        row: dict[str, Any] = {"id": number, "category_id": segment.index + 1, "area": segment.area}
        row |= {"bbox": segment.box, "iscrowd": 0}
        counts = {"counts": coco_counts(segment, height, width)} if segment.index in countable else {}
        rows.append(row | counts)
    image = {"width": width, "height": height, "video_id": piece.clip.video_id}
    image |= {"frame": sample.frame, "pts_seconds": sample.pts_seconds}
    picture = np.stack([numbers >> shift & 255 for shift in (0, 8, 16)], 2).astype(np.uint8)
    return picture, {"image": image, "segments": rows}


def _categories(taxonomy: Taxonomy, countable: frozenset[int], name: str) -> list[dict[str, Any]]:
    rows = enumerate(zip(taxonomy.classes, taxonomy.colors, strict=True))
    return [
        {"id": i + 1, "name": cls, "supercategory": cls, "isthing": int(i in countable), "color": list(color)}
        for i, (cls, color) in rows
        if name == "panoptic" or i in countable
    ]


def _write(
    file: IO[str],
    folder: Folder,
    categories: list[dict[str, Any]],
    annotations: Callable[[Iterable[tuple[int, dict]]], Iterator[dict[str, Any]]],
) -> None:
    file.write('{"info":{"description":"vss-ray"},"licenses":[],"categories":' + json.dumps(categories))
    file.write(',"images":[')
    for image_id, row in _rows(folder):
        file.write(
            ",\n"[image_id == 1 :] + json.dumps({"id": image_id, "file_name": f"{row['file']}.jpg", **row["image"]})
        )
    file.write('],"annotations":[')
    for number, annotation in enumerate(annotations(_rows(folder))):
        file.write(",\n"[number == 0 :] + json.dumps(annotation))
    file.write("]}\n")


def _rows(folder: Folder) -> Iterator[tuple[int, dict[str, Any]]]:
    images = (row for _, rows in folder.remembered() for row in rows)
    return enumerate(images, 1)


def _panoptic(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for image_id, row in rows:
        info = [{key: value for key, value in segment.items() if key != "counts"} for segment in row["segments"]]
        yield {"image_id": image_id, "file_name": f"{row['file']}.png", "segments_info": info}


def _instances(rows: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    number = 0
    for image_id, row in rows:
        size = [row["image"]["height"], row["image"]["width"]]
        for segment in row["segments"]:
            if "counts" in segment:
                number += 1
                mask = {"segmentation": {"size": size, "counts": segment["counts"]}}
                known = {key: value for key, value in segment.items() if key != "counts"}
                yield {**known, **mask, "id": number, "image_id": image_id}


def build(config: Config) -> Coco | CocoTracks:
    """The format."""
    return Coco(config) if config.of == "classes" else CocoTracks(config.pictures)
