"""Commands that show a run, or hand it to other programs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from vss_ray.cli.app import Out, Overrides, app, progress
from vss_ray.cli.values import as_markup
from vss_ray.run import Run
from vss_ray.storage.location import Location

FORMATS = "cityscapes, coco, cvat, davis, fiftyone, mot, overlay, png, rerun, webdataset, or a module's dotted path."


@app.command()
def export(
    out: Out,
    dest: Annotated[str, typer.Argument(help="Folder to write to: a path or s3://.", show_default=False)],
    to: Annotated[str, typer.Option("--format", help=FORMATS)] = "overlay",
    where: Annotated[str | None, typer.Option(help="Only spans that this query finds; see vss search.")] = None,
    video: Annotated[str | None, typer.Option(help="Only this video_id.")] = None,
    every: Annotated[int, typer.Option(min=1, help="One of so many frames.")] = 1,
    overrides: Overrides = None,
) -> None:
    """The run as somebody else's format; the same command again does only what is missing."""
    from vss_ray.export.export import export as write
    from vss_ray.export.walk import Selection

    selection = Selection(video_id=video, where=where, every=every)
    made = write(Run.open(Location.open(out)), dest, to, selection, overrides or ())
    frames, before, files, failed = 0, 0, 0, 0
    with progress.status("reading the plan") as status:
        for unit in made:
            if unit.error:
                progress.print(f"[red]{as_markup(unit.error)}", highlight=False, soft_wrap=True)
            failed += bool(unit.error)
            frames, files = frames + unit.frames, files + len(unit.files)
            before += unit.frames * unit.reused
            status.update(as_markup(f"{unit.video_id}: {frames:,} frames so far"))
    print(f"{dest}: {frames:,} frames in {files:,} file{'s'[: files != 1]}, {before:,} of the frames were there")
    if failed:
        raise typer.Exit(2)


@app.command()
def view(
    out: Out,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8770,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine the printed address holds a token.")
    ] = "127.0.0.1",
) -> None:
    """The run in a browser: archive, questions, and every video with its masks over it."""
    from vss_ray.viewer.serve import serve

    serve(
        Run.open(Location.open(out)),
        host=host,
        port=port,
        announce=lambda address: print(f"{address}  (stop with Ctrl+C)", flush=True),
    )


@app.command()
def report(
    out: Out,
    file: Annotated[str, typer.Option("--out", help="The page to write.")] = "report.html",
) -> None:
    """The run as one page of HTML: classes over time, cost, how far to trust it."""
    from vss_ray.export.report import report as render

    folder, name = os.path.split(file)
    page = render(Run.open(Location.open(out)))
    Location.open(folder or ".").write(name, page.encode("utf-8", "replace"))
    print(file)
