"""CVAT for images 1.1: one zip a video with the frames and ``annotations.xml``, whose masks are run-length encoded.

CVAT imports it as a dataset into a project, and FiftyOne reads it too. A class is one mask a frame, a class of things
one for each connected object.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, ClassVar
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from vss_ray.export.folder import Folder
from vss_ray.export.pictures import jpeg
from vss_ray.export.resume import Made, by_video
from vss_ray.export.rle import cvat_counts
from vss_ray.export.segments import segments
from vss_ray.export.walk import Piece, Sample, Walk
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.labels.things import things

DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip knows; the same run gives the same bytes."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


class Cvat:
    """One archive a video."""

    local = True

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""
        taxonomy = walk.run.taxonomy
        countable = things(taxonomy)

        def write(video_id: str, pieces: Iterator[Piece], path: Path) -> None:
            with (
                TemporaryDirectory(prefix="vss-cvat-", dir=path.parent) as scratch,
                zipfile.ZipFile(path, "w") as archive,
            ):
                images = Path(scratch, "images.xml")
                count = 0
                with images.open("w", encoding="utf-8") as file:
                    for piece in pieces:
                        for sample in piece.samples(pixels=True):
                            _store(archive, f"images/{sample.name}.jpg", jpeg(np.asarray(sample.image)))
                            _write_image(file, count, sample, taxonomy, countable)
                            count += 1
                document = zipfile.ZipInfo("annotations.xml", DATE)
                document.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(document, "w", force_zip64=True) as target, images.open("rb") as file:
                    target.write(_head(video_id, count, taxonomy).encode())
                    while portion := file.read(2**20):
                        target.write(portion)
                    target.write(b"</annotations>\n")

        yield from by_video(walk, folder, ".zip", write)


def _store(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, DATE), data)  # JPEG does not shrink


def _head(video_id: str, count: int, taxonomy: Taxonomy) -> str:
    labels = "".join(
        f"<label><name>{escape(name)}</name><color>#{red:02x}{green:02x}{blue:02x}</color>"
        "<type>mask</type><attributes></attributes></label>"
        for name, (red, green, blue) in zip(taxonomy.classes, taxonomy.colors, strict=True)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version><meta><task>'
        f"<name>{escape(video_id)}</name><size>{count}</size><mode>annotation</mode><overlap>0</overlap>"
        f"<z_order>False</z_order><labels>{labels}</labels></task></meta>\n"
    )


def _write_image(file: IO[str], number: int, sample: Sample, taxonomy: Taxonomy, countable: frozenset[int]) -> None:
    ids = np.asarray(sample.ids)
    height, width = ids.shape
    file.write(f'<image id="{number}" name="{sample.name}.jpg" width="{width}" height="{height}">\n')
    for segment in segments(ids, len(taxonomy), countable):
        left, top, w, h = segment.box
        counts = ", ".join(map(str, cvat_counts(segment).tolist()))
        file.write(
            f'<mask label={quoteattr(taxonomy.classes[segment.index])} source="file" occluded="0" rle="{counts}"'
            f' left="{left}" top="{top}" width="{w}" height="{h}" z_order="0"></mask>\n'
        )
    file.write("</image>\n")


def build(_: Config) -> Cvat:
    """The format."""
    return Cvat()
