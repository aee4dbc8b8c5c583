"""WebDataset: one tar a clip, ``<video_id>-<clip_id>.tar``; a sample is ``<name>.jpg``, ``.png`` (gray ids), ``.json``.

The tars name no owner and no date, so that the same run gives the same bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from vss_ray.export.classes import classes_json
from vss_ray.export.folder import Folder
from vss_ray.export.pictures import gray_png, jpeg
from vss_ray.export.resume import Made, by_clip
from vss_ray.export.walk import Piece, Sample, Walk


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}


class Shards:
    """One shard a clip."""

    local = False

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""

        def write(piece: Piece) -> None:
            (name,) = _files(piece)
            with folder.create(name) as path, tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as shard:
                for sample in piece.samples(pixels=True):
                    _add(shard, f"{sample.name}.jpg", jpeg(np.asarray(sample.image)))
                    _add(shard, f"{sample.name}.json", _story(sample, piece, walk.run.taxonomy.classes))
                    _add(shard, f"{sample.name}.png", gray_png(np.asarray(sample.ids)))

        folder.write("classes.json", classes_json(walk.run.taxonomy))
        yield from by_clip(walk, folder, _files, write)


def _files(piece: Piece) -> list[str]:
    return [f"{piece.clip.video_id}-{piece.clip.clip_id}.tar"]


def _story(sample: Sample, piece: Piece, classes: tuple[str, ...]) -> bytes:
    shares = {name: round(share, 7) for name, share in zip(classes, sample.facts["area"], strict=True) if share}
    content = {"video_id": piece.clip.video_id, "source": piece.clip.source, "frame": sample.frame}
    content |= {name: sample.facts[name] for name in ("pts_seconds", "is_keyframe", "key_distance", "unreliable")}
    return json.dumps({**content, "shares": shares}).encode()


def _add(shard: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    shard.addfile(member, io.BytesIO(data))


def build(_: Config) -> Shards:
    """The format."""
    return Shards()
