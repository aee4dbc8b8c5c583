"""Commands that ask a run what is in it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from vss_ray.cli.app import AsJson, Limit, Out, app, print_json, progress
from vss_ray.cli.values import as_cell, as_text, print_csv, print_objects
from vss_ray.errors import ConfigError
from vss_ray.run import Run
from vss_ray.storage.location import Location

if TYPE_CHECKING:
    from vss_ray.index.similar import Similar

SHOWN = 200
"""Rows of a table on the screen; more are for files."""


@app.command()
def search(
    out: Out,
    query: Annotated[
        str, typer.Argument(help="Such as 'person > 2% in left half for 2s sort by peak'.", show_default=False)
    ],
    limit: Limit = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print the SQL instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """The spans of the archive in which something is to be seen."""
    from vss_ray.index import search as index

    run = Run.open(Location.open(out))
    if explain:
        print(index.explain(run.location, query, run.taxonomy, limit))
        return
    hits = index.search(run.location, query, run.taxonomy, limit)
    if as_json:
        print_json([hit.to_dict() for hit in hits])
        return
    table = Table(
        "video", "start", "end", "seconds", "peak", "at", "sure", title=as_text(f"{query}: {len(hits)} spans")
    )
    for hit in hits:
        peak = ("", "") if hit.peak is None else (f"{hit.peak:.1%}", f"{hit.peak_seconds:.2f} s")
        sure = "" if hit.confidence is None else f"{hit.confidence:.0%}"
        if hit.confidence_low is not None and hit.confidence_high is not None:
            sure += f" ({hit.confidence_low:.0%} to {hit.confidence_high:.0%})"
        times = f"{hit.start:.2f} s", f"{hit.end:.2f} s", f"{hit.seconds:.2f}"
        table.add_row(as_text(hit.video_id), *times, *peak, sure)
    Console().print(table)


@app.command()
def sql(
    out: Out,
    statement: Annotated[
        str,
        typer.Argument(help="Such as 'SELECT video_id, max(area[9]) FROM frames GROUP BY ALL'.", show_default=False),
    ],
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values, all of them.")] = False,
) -> None:
    """DuckDB over the run: views frames, clips, keyframes and taxonomy, to be read and not written."""
    from vss_ray.index.direct import answer

    if as_json and as_csv:
        raise ConfigError("--json and --csv: got both, wanted one")
    run = Run.open(Location.open(out))
    with answer(run.location, run.taxonomy, statement) as result:
        if as_json:
            print_objects(result.columns, result.rows)
        elif as_csv:
            print_csv(result.columns, result.rows)
        else:
            table = Table(*(Column(as_text(name)) for name in result.columns))
            for row in islice(result.rows, SHOWN):
                table.add_row(*(as_text(as_cell(value)) for value in row))
            Console().print(table)
            if next(result.rows, None) is not None:
                progress.print(f"the first {SHOWN} rows; --csv or --json gives all")


@app.command()
def similar(
    out: Out,
    moment: Annotated[
        str | None, typer.Argument(help="VIDEO@SECONDS, or a picture file; VIDEO by id or glob.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    text: Annotated[str | None, typer.Option(help="Words instead, such as 'a red bus'; needs --model.")] = None,
    model: Annotated[str | None, typer.Option(help="A CLIP: folder of save_pretrained, or name on the hub.")] = None,
    revision: Annotated[str, typer.Option(help="Commit of the CLIP on the hub.")] = "",
    duplicates: Annotated[bool, typer.Option("--duplicates", help="What is in two videos of the archive.")] = False,
    as_json: AsJson = False,
) -> None:
    """The moments of the archive that look like one, like a picture, or like words; or what it holds twice."""
    from vss_ray.index import similar as index

    if (moment is not None) + (text is not None) + duplicates != 1:
        raise ConfigError("similar: wanted one of VIDEO@SECONDS, a picture file, --text and --duplicates")
    run = Run.open(Location.open(out))
    if duplicates:
        _print_duplicates(run, as_json)
        return
    if text is not None:
        found = _similar_to_text(run, text, model, revision, limit)
    elif moment is not None and (parsed := index.parse_moment(moment)) and not Path(moment).is_file():
        found = index.similar(run.location, run.taxonomy, *parsed, limit)
    else:
        from vss_ray.lookup.picture import embed_picture

        found = index.similar_to(run.location, run.taxonomy, embed_picture(run, moment or ""), limit)
    if as_json:
        print_json([each.to_dict() for each in found])
        return
    table = Table("video", "at", "frame", "likeness", title=as_text(f"like {moment or text}: {len(found)} moments"))
    for each in found:
        table.add_row(as_text(each.video_id), f"{each.seconds:.2f} s", str(each.frame), f"{each.score:.3f}")
    Console().print(table)


def _similar_to_text(run: Run, text: str, model: str | None, revision: str, limit: int) -> list[Similar]:
    from vss_ray.lookup.text import search_text
    from vss_ray.lookup.words import Words

    if model is None:
        raise ConfigError("--text needs --model: the folder of a CLIP, or its name on the hub and a --revision")
    words = Words(model, revision)
    with progress.status("") as status:
        return search_text(
            run,
            text,
            words,
            limit,
            on_clip=lambda done, total: status.update(f"the CLIP has looked at {done} of {total} clips"),
        )


def _print_duplicates(run: Run, as_json: bool) -> None:
    from vss_ray.index.duplicates import duplicates

    found = duplicates(run.location, run.taxonomy)
    if as_json:
        print_json([each.to_dict() for each in found])
        return
    table = Table("video", "from", "to", "is also in", "from", "to", "likeness", title=f"held twice: {len(found)}")
    for each in found:
        times = [f"{value:.1f} s" for value in (each.start, each.end, each.other_start, each.other_end)]
        table.add_row(as_text(each.video_id), *times[:2], as_text(each.other_id), *times[2:], f"{each.score:.2f}")
    Console().print(table)
