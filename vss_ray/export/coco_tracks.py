"""COCO instances of objects that were followed: an annotation per object and frame, ``track_id`` says which object.

``annotations/instances.json``, and the frames in ``images/``. An object whose class is not known is of the category
"object". As in ``formats.coco``, what a clip adds is remembered beside its pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from vss_ray.export.folder import Folder
from vss_ray.export.pictures import jpeg
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.rle import coco_counts
from vss_ray.export.segments import Segment
from vss_ray.export.walk import Piece, Sample, Walk

OBJECT = "object"


class CocoTracks:
    """See ``Format``.

    Args:
        pictures: The frames too; without them no source is decoded.
    """

    local = False

    def __init__(self, pictures: bool) -> None:
        self._pictures = pictures

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        categories = {name: number for number, name in enumerate((*walk.run.taxonomy.classes, OBJECT), 1)}

        def write(piece: Piece) -> list[dict[str, Any]]:
            rows = []
            for sample, name in zip(piece.samples(self._pictures), piece.names, strict=True):
                file = f"{piece.clip.video_id}/{name}.jpg"
                if sample.image is not None:
                    folder.write(f"images/{file}", jpeg(sample.image))
                rows.append({"image": _image(sample, piece, file), "objects": list(_objects(sample, categories))})
            return rows

        yield from by_clip(walk, folder, self._files, write)
        with folder.create("annotations/instances.json") as path, path.open("w", encoding="utf-8") as file:
            listed = [{"id": number, "name": name, "supercategory": name} for name, number in categories.items()]
            file.write('{"info":{"description":"vss-ray"},"licenses":[],"categories":' + json.dumps(listed))
            for key, entries in (("images", _images(folder)), ("annotations", _annotations(folder))):
                file.write(f',"{key}":[')
                for number, entry in enumerate(entries):
                    file.write(",\n"[number == 0 :] + json.dumps(entry))
                file.write("]")
            file.write("}\n")

    def _files(self, piece: Piece) -> list[str]:
        return [f"images/{piece.clip.video_id}/{name}.jpg" for name in piece.names if self._pictures]


def _image(sample: Sample, piece: Piece, file: str) -> dict[str, Any]:
    about = {"width": piece.clip.width, "height": piece.clip.height, "video_id": piece.clip.video_id}
    return {"file_name": file, **about, "frame": sample.frame, "pts_seconds": sample.pts_seconds}


def _objects(sample: Sample, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    ids = np.asarray(sample.ids)
    for each in sample.facts["tracks"]:
        if each["left"] is None:
            continue
        box = slice(each["top"], each["bottom"]), slice(each["left"], each["right"])
        segment = Segment(each["track"], each["top"], each["left"], ids[box] == each["track"])
        yield {
            "track_id": each["track"],
            "category_id": categories.get(each["class_name"] or OBJECT, categories[OBJECT]),
            "area": segment.area,
            "bbox": segment.box,
            "iscrowd": 0,
            "score": each["score"],
            "state": each["state"],
            "segmentation": {"size": list(ids.shape), "counts": coco_counts(segment, *ids.shape)},
        }


def _rows(folder: Folder) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate((row for _, rows in folder.remembered() for row in rows), 1)


def _images(folder: Folder) -> Iterator[dict[str, Any]]:
    return ({"id": number, **row["image"]} for number, row in _rows(folder))


def _annotations(folder: Folder) -> Iterator[dict[str, Any]]:
    objects = ((number, each) for number, row in _rows(folder) for each in row["objects"])
    return ({"id": index, "image_id": number, **each} for index, (number, each) in enumerate(objects, 1))
