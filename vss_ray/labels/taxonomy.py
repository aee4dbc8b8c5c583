"""Class names, colors and synonyms of a label set."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray.documents import read_yaml
from vss_ray.errors import ConfigError
from vss_ray.printable import one_line


@dataclass(frozen=True)
class Taxonomy:
    """The classes of a run, in the order of their ids."""

    name: str
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    """RGB."""
    aliases: tuple[tuple[str, ...], ...]
    """Other names of each class."""

    def __post_init__(self) -> None:
        if not len(self.classes) == len(self.colors) == len(self.aliases):
            raise ValueError(f"{len(self.classes) = }, {len(self.colors) = }, {len(self.aliases) = } differ")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def void(self) -> int:
        """The id that means "no class": 255, or 65535 where 255 is a class."""
        return 255 if len(self) <= 255 else 65535

    def index(self, name: str) -> int:
        """The id of a class by its name or a synonym, whatever the case.

        Raises:
            KeyError: No such class; the message lists the near ones.
        """
        wanted = _plain(name)
        known = {_plain(alias): i for i, aliases in enumerate(self.aliases) for alias in aliases}
        known |= {_plain(cls): i for i, cls in enumerate(self.classes)}
        if wanted in known:
            return known[wanted]
        near = sorted(
            {self.classes[known[match]] for match in difflib.get_close_matches(wanted, known, n=5, cutoff=0.5)}
        )
        hint = f"did you mean {', '.join(near)}?" if near else f"there is {', '.join(self.classes)}"
        raise KeyError(f"no class {name!r} in {self.name}; {hint}")

    def palette(self) -> NDArray[np.uint8]:
        """Color per id, (65536, 3) or (256, 3) RGB; ids that are no class are black."""
        table = np.zeros((self.void + 1, 3), np.uint8)
        table[: len(self)] = self.colors
        return table

    def to_dict(self) -> dict[str, Any]:
        """The form of the YAML files."""
        rows = zip(self.classes, self.colors, self.aliases, strict=True)
        return {
            "name": self.name,
            "classes": [{"name": n, "color": list(c), "aliases": list(a)} for n, c, a in rows],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Taxonomy:
        """The inverse of ``to_dict``; a class without a color gets one by the rule of PASCAL VOC."""
        rows = content["classes"]
        names = [name for row in rows for name in (row["name"], *row.get("aliases", ()))]
        if not names or not all(isinstance(name, str) for name in (content["name"], *names)):
            raise ValueError("no class, or a name that is no text; put it in quotes")
        return cls(
            name=content["name"],
            classes=tuple(row["name"] for row in rows),
            colors=tuple(_color(row.get("color"), i) for i, row in enumerate(rows)),
            aliases=tuple(tuple(row.get("aliases", ())) for row in rows),
        )


def load(name: str) -> Taxonomy:
    """A taxonomy of the package by name, or any YAML file of the same form by path.

    Raises:
        ConfigError: There is none.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = Path(str(resources.files("vss_ray.labels") / f"{name}.yaml"))
    if not path.exists():
        known = sorted(p.stem for p in Path(str(resources.files("vss_ray.labels"))).glob("*.yaml"))
        raise ConfigError(f"no taxonomy {name!r}; there is {', '.join(known)}, or the path of a YAML file")
    try:
        return Taxonomy.from_dict(read_yaml(path.read_text()))
    except (UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path} is no taxonomy ({one_line(str(error))}); wanted a name and classes, as in labels/camvid.yaml"
        ) from error


def voc_color(index: int) -> tuple[int, int, int]:
    """PASCAL VOC's color of class ``index``: the bits of the index dealt to the high bits of R, G, B in turn."""
    color = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            color[channel] |= (index >> channel & 1) << (7 - bit)
        index >>= 3
    return color[0], color[1], color[2]


def _color(given: list[int] | None, index: int) -> tuple[int, int, int]:
    red, green, blue = given or voc_color(index + 1)
    if not all(type(level) is int and 0 <= level <= 255 for level in (red, green, blue)):
        raise ValueError(f"color {given!r}; wanted three numbers from 0 to 255")
    return red, green, blue


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").strip()
