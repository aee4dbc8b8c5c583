"""A run as somebody else's format: a name in ``vss export --format`` is a module of this folder, or a dotted path.

Such a module has a ``Config``, whose fields ``--set`` reaches, and a function ``build(Config) -> Format``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from vss_ray.export.folder import Folder
from vss_ray.export.resume import Made
from vss_ray.export.walk import Walk


class Format(Protocol):
    """What the module of a format builds."""

    local: bool
    """Its files are whole videos, written at both ends, which object stores do not take."""

    def export(self, walk: Walk, folder: Folder) -> Iterator[Made]:
        """Write what is wanted of a run; ends with the files that speak of all of it, where the format has such.

        Raises:
            ConfigError: The run has no place in this format; says why.
            StorageError: Something cannot be read or written.
        """
        ...
