"""Commands that show a run, or hand it to other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from vss_ray.cli.app import Out, app
from vss_ray.errors import ConfigError
from vss_ray.run import Run
from vss_ray.storage.location import Location


@app.command()
def export(
    out: Out,
    dest: Annotated[str, typer.Argument(help="Folder to write to.", show_default=False)],
    to: Annotated[str, typer.Option("--format", help="overlay: the videos in colors.")] = "overlay",
    video: Annotated[str | None, typer.Option(help="Only this video_id.")] = None,
) -> None:
    """The run as somebody else's format."""
    from vss_ray.export.overlay import export_overlay

    if to != "overlay":
        raise ConfigError(f"no format {to!r}; there is overlay")
    for path in export_overlay(Run.open(Location.open(out)).location, dest, video_id=video):
        print(path)
