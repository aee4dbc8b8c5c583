"""The command line: parse, call, print, exit code. 0 all done, 1 refused before starting, 2 done with failed clips."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from vss_ray import config
from vss_ray.errors import ConfigError, VssError
from vss_ray.run import Run
from vss_ray.storage.location import Location

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Segment video archives and ask what is in them.",
)
progress = Console(stderr=True)
"""Where people look; stdout is for answers."""

Source = Annotated[str, typer.Argument(help="File, folder, glob, .txt list, or s3:// prefix.", show_default=False)]
Out = Annotated[str, typer.Argument(help="Folder of the run: a path or s3://.", show_default=False)]
ConfigName = Annotated[str, typer.Option("--config", help="Operating point: a name in configs/ or a YAML file.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE, any field: keyframes.every=20.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else there.")]
Address = Annotated[str | None, typer.Option(help="Ray cluster, such as auto or HOST:6379; none: this machine.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many.")]


@app.command()
def plan(
    source: Source,
    config_name: ConfigName = "evs",
    overrides: Overrides = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """What would run: videos, hours, clips, and what cannot be read."""
    from vss_ray.cluster.planning import plan_archive
    from vss_ray.cluster.session import connect
    from vss_ray.media.archive import list_videos

    point = config.load(config_name, overrides or ())
    entries = list_videos(source)
    connect(address)
    planned = plan_archive(entries, point.clip_seconds)
    content = {
        "videos": len(entries),
        "unreadable": [vars(failure) for failure in planned.failures],
        "clips": len(planned.clips),
        "frames": sum(clip.num_frames for clip in planned.clips),
        "hours": planned.seconds / 3600,
        "bytes": sum(entry.size_bytes for entry in entries),
        "operating_point": point.to_dict(),
    }
    if as_json:
        _print_json(content)
        return
    table = Table(
        "videos", "unreadable", "hours", "clips", "frames", "size", title=escape(f"{source} with {config_name}")
    )
    size = f"{content['bytes'] / 1e6:,.1f} MB"
    counts = (len(entries), len(planned.failures), f"{planned.seconds / 3600:,.3f}", len(planned.clips))
    table.add_row(*map(str, counts), f"{content['frames']:,}", size)
    Console().print(table)
    for failure in planned.failures:
        progress.print(f"[red]{escape(failure.message)}", highlight=False)


@app.command()
def segment(
    source: Source,
    out: Out,
    config_name: ConfigName = "evs",
    overrides: Overrides = None,
    limit: Limit = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Label every frame of every video; the same command again does only what is missing."""
    from vss_ray.cluster.segment import segment as run_segment

    point = config.load(config_name, overrides or ())
    summary = run_segment(source, out, point, limit=limit, address=address, console=progress)
    if as_json:
        _print_json(summary.to_dict())
    else:
        Console().print(summary.table(Run.open(Location.open(out)).taxonomy))
    if summary.clips_failed or summary.videos_failed:
        for failure in Run.open(Location.open(out)).failures()[:10]:
            progress.print(f"[red]{failure.stage}: {escape(failure.message)}", highlight=False)
        raise typer.Exit(2)


@app.command()
def status(
    out: Out,
    compact: Annotated[bool, typer.Option("--compact", help="Rebuild the tables from the commits first.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is done, what is left, what failed and why."""
    from vss_ray.index.build import compact as compact_tables
    from vss_ray.storage.commit import committed

    run = Run.open(Location.open(out))
    planned = {(row["video_id"], row["clip_id"]): row for row in run.manifest_rows()}
    done = committed(run.location) & set(planned)
    if compact:
        compact_tables(run.location, list(planned))
    seconds = {key: row["stop_seconds"] - row["start_seconds"] for key, row in planned.items()}
    failures = [failure for failure in run.failures() if (failure.video_id, failure.clip_id) not in done]
    content = {
        "fingerprint": run.fingerprint,
        "source": run.source,
        "clips": len(planned),
        "done": len(done),
        "left": len(planned) - len(done),
        "seconds": sum(seconds.values()),
        "seconds_done": sum(seconds[key] for key in done),
        "failed": [vars(failure) for failure in failures],
        "summary": run.content().get("summary"),
    }
    if as_json:
        _print_json(content)
        return
    table = Table("clips", "done", "left", "failed", "video", "of it done", title=escape(f"{out}: {run.source}"))
    counts = (content["clips"], content["done"], content["left"], len(failures))
    table.add_row(*map(str, counts), f"{content['seconds']:,.1f} s", f"{content['seconds_done']:,.1f} s")
    Console().print(table)
    last = content["summary"]
    if last and last["run_seconds"]:
        speed = f"{last['frames'] / last['run_seconds']:,.1f} frames/s, {last['run_seconds']:,.1f} s"
        Console().print(f"last attempt: {speed}", highlight=False)
    for failure in failures:
        progress.print(f"[red]{failure.stage}: {escape(failure.message)}", highlight=False)


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
        _print_json([hit.to_dict() for hit in hits])
        return
    table = Table("video", "start", "end", "seconds", "peak", "at", title=escape(f"{query}: {len(hits)} spans"))
    for hit in hits:
        peak = ("", "") if hit.peak is None else (f"{hit.peak:.1%}", f"{hit.peak_seconds:.2f} s")
        table.add_row(hit.video_id, f"{hit.start:.2f} s", f"{hit.end:.2f} s", f"{hit.seconds:.2f}", *peak)
    Console().print(table)


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


@app.command()
def train(
    method: Annotated[str, typer.Argument(help="segmenter (the keyframe network), evs, gsvnet, dcfm or lmanet.")],
    data: Annotated[Path, typer.Option(help="CamVid in the SegNet layout.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Weights to write, .safetensors.", show_default=False)],
    video: Annotated[
        list[Path] | None, typer.Option(help="Unlabelled footage to learn from as well: a file or a folder; repeat it.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Weights of the segmenter to build on; none: the package's.")] = None,
    imagenet: Annotated[Path | None, typer.Option(help="Weights of the encoder: .pth, .safetensors or a .whl.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A name in configs/train/ or a YAML file; none: the one called as METHOD.")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Train a network or a method's modules; started again it goes on from its checkpoint."""
    from vss_ray import training
    from vss_ray.segmenters import builtin
    from vss_ray.training import recipes

    report = training.load(method)(
        data,
        out,
        videos=video or (),
        base=base or builtin.Config().weights,
        imagenet_weights=imagenet,
        recipe=recipes.load(recipe) if recipe else recipes.default(method),
        overrides=overrides or (),
    )
    if as_json:
        _print_json(report)
        return
    table = Table("", "on the drive", title=escape(f"{out}: {method}, measured on {data}/val"))
    for name, value in {**report, **report.get("iou", {})}.items():
        if isinstance(value, int | float):
            table.add_row(name, f"{value:.3f}")
    Console().print(table)


@app.command()
def evaluate(
    dataset: Annotated[str, typer.Argument(help="camvid, camvid32, cityscapes, vspw, scenes or videos.")],
    data: Annotated[Path, typer.Argument(help="Its folder; how many, for scenes.", show_default=False)],
    config_names: Annotated[
        list[str] | None, typer.Option("--config", help="Operating point, evs if none; repeat it.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    every: Annotated[str, typer.Option(help="Distances of keyframes to try, with both directions each.")] = "",
    split: Annotated[str, typer.Option(help="Of the dataset.")] = "val",
    protocol: Annotated[
        str, typer.Option(help="drive: once; phases: every labeled frame at every distance to its keyframe.")
    ] = "drive",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy and steadiness of operating points on labelled footage, beside the network on every frame."""
    from vss_ray.cluster.evaluate import compare

    try:
        distances = [int(part) for part in every.split(",") if part]
    except ValueError as error:
        raise ConfigError(f"--every {every!r}: wanted numbers with commas between them, such as 2,5,10") from error
    names = config_names or ["evs"]
    rows = compare(dataset, data, names, overrides or (), distances, split=split, protocol=protocol, address=address)
    if as_json:
        _print_json(rows)
        return
    table = Table("operating point", "keyframes", "mIoU", "against per frame", "farthest", "wIoU", "VC8", "VC16", "TC")
    for column in ("agreement", "mIoU by distance"):
        table.add_column(column)
    for row in rows:
        agreement = row["agreement"].get("agreement", {}).get("mean")
        shares = (row["minimum"], row["weighted_iou"], row["vc8"], row["vc16"], row["temporal_consistency"], agreement)
        table.add_row(
            row["name"],
            f"{row['keyframe_share']:.0%}",
            _percent(row["mean_iou"]),
            "" if row["difference"] is None else f"{100 * row['difference']:+.2f}",
            *map(_percent, shares),
            " ".join(f"{distance}:{100 * iou:.1f}" for distance, iou in row["by_distance"].items() if iou is not None),
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@app.command()
def benchmark(
    source: Annotated[str | None, typer.Argument(help="Archive to run on; none: rendered scenes.")] = None,
    work: Annotated[Path, typer.Option(help="Folder for outputs.")] = Path("/tmp/vss-benchmark"),
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved rounds; medians are reported.")] = 1,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """This project, its per-frame baseline and what a user would write, side by side over the same files."""
    from vss_ray.cluster.benchmark import run, table

    report = run(source, work, repeats, overrides or (), progress)
    if as_json:
        _print_json(report)
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(table(report))


def main() -> None:
    """Entry point: errors that a user can cause are one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[RichHandler(console=progress)])
    with _refusals():
        try:
            app()
        except SystemExit as end:  # 2 is Typer's code for a wrong call and ours for failed clips: the former becomes 1
            sys.exit(1 if end.code == 2 and not isinstance(end.__context__, typer.Exit) else end.code)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except VssError as error:
        progress.print(f"[bold red]vss:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=2))
