"""The file of ``vss track --init``: which objects are meant, and on which frames they are known.

    objects:
      - {id: 1, video: day/drive.mp4, at: 12.4, mask: car.png}
      - {id: 1, video: day/drive.mp4, at: 20, box: [310, 120, 402, 190]}
      - {id: 2, video: day/drive.mp4, at: 12.4, largest: car}

An id that stands in several entries of a video is one object that is known on several frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, TypeAdapter, ValidationError

from vss_ray.documents import read_yaml
from vss_ray.errors import ConfigError
from vss_ray.printable import printable

LARGEST_ID = 1000
"""Objects that are pointed at have ids up to it; those that are found without have ids beyond it."""
HOWS = ("mask", "box", "largest")


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """One entry."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    id: Annotated[int, Field(ge=1, le=LARGEST_ID)]
    """Of the object in its video."""
    video: str
    """Path relative to SOURCE, or the video_id."""
    at: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Seconds from the video's first frame; the frame that is shown then."""
    mask: Path | None = None
    """A PNG of the frame's size, relative to the file: gray or indexed, not 0 where the object is."""
    value: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The object is where the PNG has this value."""
    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom in pixels of the upright frame, right and bottom outside."""
    largest: str | None = None
    """A class: its largest connected region in the labels of OUT."""

    def __post_init__(self) -> None:
        given = [how for how in HOWS if getattr(self, how) is not None]
        if len(given) != 1:
            raise ValueError(f"got {' and '.join(given) or 'none'} of mask, box and largest, wanted one")
        if self.value is not None and self.mask is None:
            raise ValueError("value says where in a mask, and there is none")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError(f"box {list(self.box)}: wanted left < right and top < bottom")

    def __str__(self) -> str:
        return f"object {self.id} of {self.video} at {self.at:g} s"


def read(path: Path) -> list[Pointer]:
    """The entries of a file, paths of masks made absolute.

    Raises:
        ConfigError: It cannot be read, is no such file, or one frame of a video has an object twice.
    """
    try:
        content = read_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"--init {path}: {error.strerror}; give a YAML file with objects:") from error
    except ValueError as error:
        raise ConfigError(f"--init {path}: {error}") from error
    if not isinstance(content, dict) or list(content) != ["objects"] or not isinstance(content["objects"], list):
        raise ConfigError(f"--init {path}: wanted a list under `objects:` and nothing else")
    if not content["objects"]:
        raise ConfigError(f"--init {path}: holds no object; add `- {{id: 1, video: ..., at: ..., mask: ...}}`")
    pointers = [_pointer(path, number, entry) for number, entry in enumerate(content["objects"], 1)]
    twice = [each for n, each in enumerate(pointers) if (each.id, each.video, each.at) in _keys(pointers[:n])]
    if twice:
        raise ConfigError(f"--init {path}: {twice[0]} stands twice; keep one")
    return pointers


def _pointer(path: Path, number: int, entry: object) -> Pointer:
    try:
        pointer = TypeAdapter(Pointer).validate_python(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = printable(".".join(str(part) for part in first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--init {path}, entry {number}{place and f', {place}'}: {said}") from error
    if pointer.mask is None:
        return pointer
    values = {**vars(pointer), "mask": (path.parent / pointer.mask).absolute()}
    return Pointer(**values)


def _keys(pointers: list[Pointer]) -> set[tuple[int, str, float]]:
    return {(each.id, each.video, each.at) for each in pointers}
