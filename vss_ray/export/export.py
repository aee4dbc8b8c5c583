"""Hand a run, or what a query finds in it, to other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from vss_ray import config, plugins
from vss_ray.errors import ConfigError
from vss_ray.export.folder import Folder
from vss_ray.export.formats import Format
from vss_ray.export.resume import Made
from vss_ray.export.walk import Of, Selection, Walk
from vss_ray.run import Run
from vss_ray.storage.location import Location

FAMILY = "export.formats"


def export(
    run: Run, dest: str, format_name: str, selection: Selection | None = None, options: Sequence[str] = ()
) -> Iterator[Made]:
    """Write a run in another format; what is there whole from an earlier attempt is not made again.

    Args:
        run: Finished or not; only clips that are done are exported.
        dest: A folder: a path, or a URL such as ``s3://bucket/folder``.
        format_name: A module of ``vss_ray.export.formats``, or a dotted path.
        selection: Which frames; None: all.
        options: ``KEY=VALUE`` of the format's own configuration.

    Yields:
        Every unit, a clip or a video, as it is there.

    Raises:
        ConfigError: There is no such format, an option makes no sense, or DEST holds another export.
        StorageError: Something cannot be read or written.
    """
    selection = selection or Selection()
    module = plugins.load(FAMILY, format_name)
    chosen = config.dataclass_from(module.Config, options)
    made: Format = module.build(chosen)
    if made.local and "://" in dest:
        raise ConfigError(f"{format_name} writes whole videos, to a local folder; got {dest}; copy them afterwards")
    of: Of = getattr(chosen, "of", "classes")
    walk, folder = Walk(run, selection, of), Folder(Location.open(dest))
    if folder.location == run.location:
        raise ConfigError(f"{dest} is the run itself; choose another folder, inside it if you like")
    folder.claim(
        {
            "format": format_name,
            "options": asdict(chosen),
            "run": run.fingerprint,
            "source": run.source,
            "where": selection.where,
            "every": selection.every,
        }
    )
    yield from made.export(walk, folder)
