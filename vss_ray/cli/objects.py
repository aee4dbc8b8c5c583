"""Commands that follow objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vss_ray.cli.app import Address, AsJson, Out, Overrides, Source, app, print_json, progress
from vss_ray.cli.values import as_markup, as_text
from vss_ray.config import dataclass_from
from vss_ray.errors import ConfigError
from vss_ray.run import Run
from vss_ray.storage.location import Location

if TYPE_CHECKING:
    from vss_ray.cluster.track import TrackSummary

FAILURES, SHOWN = 10, 40
"""That are told, and tracks that are."""


@app.command()
def track(
    source: Source,
    out: Out,
    init: Annotated[
        Path | None,
        typer.Option(
            help="YAML: which objects, on which frames, by mask, box or class; none: all things in the labels.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="Without --init: whose objects; repeat it.", show_default=False)
    ] = None,
    weights: Annotated[
        str, typer.Option(help="With --init: a file of vss_ray/weights by name, or of `vss train rts`.")
    ] = "rts_mobilenet_v2_camvid",
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Cut out objects through whole videos: those you point at on a frame, or all that the labels show."""
    from vss_ray.cluster.session import stdout_for_answers
    from vss_ray.cluster.things import track_things
    from vss_ray.cluster.track import track as follow
    from vss_ray.tracking import linking, tracker

    if init is not None and classes:
        raise ConfigError("--class: chooses among all objects, and --init says which ones; give one of them")
    with stdout_for_answers():
        if init is None:
            config = dataclass_from(linking.Config, overrides or ())
            summary = track_things(source, out, classes=classes or (), config=config, address=address, console=progress)
        else:
            rules = dataclass_from(tracker.Config, overrides or ())
            summary = follow(source, out, init, weights=weights, config=rules, address=address, console=progress)
    _print(out, summary, as_json)
    for failure in summary.failures[:FAILURES]:
        progress.print(f"[red]{as_markup(failure.message)}", highlight=False, soft_wrap=True)
    if summary.failures:
        raise typer.Exit(2)


def _print(out: str, summary: TrackSummary, as_json: bool) -> None:
    from vss_ray.index.tracks import told

    run = Run.open(Location.open(out))
    tracks: list[dict[str, Any]] = told(run.location, run.taxonomy)
    if as_json:
        print_json({**summary.to_dict(), "tracks": tracks})
        return
    table = Table("video", "object", "class", "seen", "from", "to", "frames", "hidden", "lost")
    longest = sorted(tracks, key=lambda each: -each["seen"])[:SHOWN]
    for each in (each for each in tracks if each in longest):
        first, last = (f"{each[name]:.2f} s" if each[name] is not None else "" for name in ("first", "last"))
        shares = (f"{each[name] / each['frames']:.0%}" for name in ("seen", "occluded", "lost"))
        seen, occluded, lost = shares
        name = as_text(each["class_name"] or "")
        counts = str(each["track"]), name, seen, first, last, f"{each['frames']:,}", occluded, lost
        table.add_row(as_text(each["video_id"]), *counts)
    table.title = as_text(
        f"{summary.clips_done} clips done, {len(summary.failures)} failed, {summary.clips_before} done before"
    )
    Console().print(table)
    if len(tracks) > SHOWN:
        progress.print(f"the {SHOWN} longest of {len(tracks):,} tracks; `vss sql OUT 'FROM tracks'` has all")
