"""Commands that follow objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vss_ray import config
from vss_ray.cli.app import Address, AsJson, Out, Overrides, Source, app, print_json, progress
from vss_ray.cli.values import as_markup, as_text
from vss_ray.run import Run
from vss_ray.storage.location import Location

if TYPE_CHECKING:
    from vss_ray.cluster.track import TrackSummary

FAILURES = 10
"""That are told."""


@app.command()
def track(
    source: Source,
    out: Out,
    init: Annotated[
        Path, typer.Option(help="YAML: which objects, on which frames, by mask, box or class.", show_default=False)
    ],
    weights: Annotated[
        str, typer.Option(help="A file of vss_ray/weights by name, or of `vss train rts`.")
    ] = "rts_mobilenet_v2_camvid",
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Cut out objects through whole videos, from one frame on which you point at them."""
    from vss_ray.cluster.session import stdout_for_answers
    from vss_ray.cluster.track import failures_of
    from vss_ray.cluster.track import track as follow
    from vss_ray.tracking import tracker

    rules = config.dataclass_from(tracker.Config, overrides or ())
    with stdout_for_answers():
        summary = follow(source, out, init, weights=weights, config=rules, address=address, console=progress)
    _conclude(out, summary, as_json)
    if summary.clips_failed:
        for failure in failures_of(Location.open(out))[:FAILURES]:
            progress.print(f"[red]{as_markup(failure.message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2)


def _conclude(out: str, summary: TrackSummary, as_json: bool) -> None:
    from vss_ray.index.tracks import told

    run = Run.open(Location.open(out))
    tracks: list[dict[str, Any]] = told(run.location, run.taxonomy)
    if as_json:
        print_json({**summary.to_dict(), "tracks": tracks})
        return
    table = Table("video", "object", "class", "seen", "from", "to", "frames", "hidden", "lost")
    for each in tracks:
        first, last = (f"{each[name]:.2f} s" if each[name] is not None else "" for name in ("first", "last"))
        shares = (f"{each[name] / each['frames']:.0%}" for name in ("seen", "occluded", "lost"))
        seen, occluded, lost = shares
        name = as_text(each["class_name"] or "")
        counts = str(each["track"]), name, seen, first, last, f"{each['frames']:,}", occluded, lost
        table.add_row(as_text(each["video_id"]), *counts)
    table.title = as_text(
        f"{summary.clips_done} clips done, {summary.clips_failed} failed, {summary.clips_before} done before"
    )
    Console().print(table)
