"""Boxes of objects that were followed, as MOTChallenge wants results: ``<video_id>.txt``, see ``export.mot``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from vss_ray.export.folder import Folder
from vss_ray.export.mot import TrackBox, mot_text
from vss_ray.export.resume import Made, by_video
from vss_ray.export.walk import Piece, Walk


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    of: Literal["objects", "things"] = "objects"
    """Those that somebody pointed at, or those that were found."""


class Mot:
    """One file a video."""

    local = True

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """See ``Format``."""

        def write(_: str, pieces: Iterator[Piece], path: Path) -> None:
            boxes = [box for piece in pieces for box in _boxes(piece)]
            path.write_text(mot_text(boxes), encoding="ascii")

        yield from by_video(walk, folder, ".txt", write)


def _boxes(piece: Piece) -> Iterator[TrackBox]:
    assert piece.frames is not None  # only clips that are done are asked for
    wanted = set(piece.numbers.tolist())
    for row in piece.frames.select(["frame", "tracks"]).to_pylist():
        for each in row["tracks"] if row["frame"] in wanted else ():
            if each["left"] is not None:
                size = each["right"] - each["left"], each["bottom"] - each["top"]
                yield TrackBox(row["frame"], each["track"], each["left"], each["top"], *size, each["score"])


def build(_: Config) -> Mot:
    """The format."""
    return Mot()
