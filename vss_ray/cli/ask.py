"""Commands that ask a run what is in it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vss_ray.cli.app import AsJson, Limit, Out, app, print_json
from vss_ray.run import Run
from vss_ray.storage.location import Location


@app.command()
def search(
    out: Out,
    query: Annotated[
        str, typer.Argument(help="Such as 'person > 2% and bicyclist > 0.5% for 2s'.", show_default=False)
    ],
    limit: Limit = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print the SQL instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """The spans of the archive in which something is to be seen."""
    from vss_ray.index import search as index

    run = Run.open(Location.open(out))
    if explain:
        print(index.explain(query, run.taxonomy))
        return
    hits = index.search(run.location, query, run.taxonomy, limit)
    if as_json:
        print_json([hit.to_dict() for hit in hits])
        return
    table = Table("video", "start", "end", "seconds", "peak", "at", title=escape(f"{query}: {len(hits)} spans"))
    for hit in hits:
        peak = ("", "") if hit.peak is None else (f"{hit.peak:.1%}", f"{hit.peak_seconds:.2f} s")
        table.add_row(hit.video_id, f"{hit.start:.2f} s", f"{hit.end:.2f} s", f"{hit.seconds:.2f}", *peak)
    Console().print(table)
