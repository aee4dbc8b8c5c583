"""Commands that do the work: plan, segment, refine, status."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vss_ray import config, precision
from vss_ray.cli.app import Address, AsJson, ConfigName, Limit, Out, Overrides, Source, app, print_json, progress
from vss_ray.cli.values import as_markup, as_text
from vss_ray.clips import COARSE, FULL, Clip
from vss_ray.errors import ConfigError
from vss_ray.failures import Failure
from vss_ray.run import Run
from vss_ray.storage.location import Location

HOW_DAMAGED = '''vss sql {} "SELECT source, clip_id, damaged FROM clips WHERE damaged IS NOT NULL"'''

if TYPE_CHECKING:
    from vss_ray.cluster.summary import Summary
    from vss_ray.config import OperatingPoint


@app.command()
def plan(
    source: Source,
    config_name: ConfigName = "evs",
    overrides: Overrides = None,
    measure: Annotated[bool, typer.Option("--measure", help="Run a clip here: what does a frame cost?")] = False,
    gpu_speed: Annotated[
        float | None,
        typer.Option(
            "--gpu-pictures-per-second",
            min=0.001,
            help="With --measure: what one GPU labels; how many cores keep it busy?",
        ),
    ] = None,
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """What would run: videos, hours, clips, and what cannot be read."""
    from vss_ray.cluster.planning import plan_archive
    from vss_ray.cluster.session import connect, stdout_for_answers
    from vss_ray.media.archive import list_videos

    if gpu_speed is not None and not measure:
        raise ConfigError("--gpu-pictures-per-second: asks for what --measure measures; give --measure, too")
    point = config.load(config_name, overrides or ())
    entries = list_videos(source)
    with stdout_for_answers():
        cores = connect(address).cpus
        planned = plan_archive(entries, point.clip_seconds, point.limits)
    content = {
        "videos": len(entries),
        "unreadable": [vars(failure) for failure in planned.failures],
        "clips": len(planned.clips),
        "frames": sum(clip.num_frames for clip in planned.clips),
        "hours": planned.seconds / 3600,
        "bytes": sum(entry.size_bytes for entry in entries),
        "operating_point": point.to_dict(),
    }
    measured = _measured(point, planned.clips, gpu_speed) if measure else None
    if measure:
        content["measured"] = measured
    if as_json:
        print_json(content)
        return
    table = Table(
        "videos", "unreadable", "hours", "clips", "frames", "size", title=as_markup(f"{source} with {config_name}")
    )
    size = f"{content['bytes'] / 1e6:,.1f} MB"
    counts = (len(entries), len(planned.failures), f"{planned.seconds / 3600:,.3f}", len(planned.clips))
    table.add_row(*map(str, counts), f"{content['frames']:,}", size)
    Console().print(table)
    if measured:
        from vss_ray.cluster import forecast

        Console().print(forecast.table(measured, cores))
    for failure in planned.failures:
        progress.print(f"[red]{as_markup(failure.message)}", highlight=False, soft_wrap=True)


def _measured(point: OperatingPoint, clips: list[Clip], gpu_speed: float | None) -> dict[str, Any] | None:
    """What ``plan --measure`` adds; None of an archive without clips."""
    import torch

    from vss_ray.cluster import calibrate, forecast
    from vss_ray.cluster.pipeline import placement
    from vss_ray.cluster.settle import FOUND_OUT

    if not clips:
        return None
    has_cuda = torch.cuda.is_available()
    if getattr(point.segmenter.config, "precision", None) in FOUND_OUT:  # that takes a run; bf16 is the safe guess
        point = precision.settled(point, "auto")
    resolved = point.resolved(has_cuda)
    costs = calibrate.measure(resolved, clips, placement(resolved, has_cuda))
    return forecast.report(costs, calibrate.frames_by_size(resolved, clips), gpu_speed)


@app.command()
def segment(
    source: Source,
    out: Out,
    config_name: ConfigName = "evs",
    overrides: Overrides = None,
    limit: Limit = None,
    address: Address = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write when and where each clip was worked on, for ui.perfetto.dev.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only what failed before, quarantine included.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Label every frame of every video; the same command again does only what is missing."""
    from vss_ray.cluster.segment import segment as run_segment
    from vss_ray.cluster.session import stdout_for_answers
    from vss_ray.cluster.trace import Trace

    point = config.load(config_name, overrides or ())
    recorded = Trace(trace) if trace else None
    with stdout_for_answers():
        summary = run_segment(
            source,
            out,
            point,
            limit=limit,
            address=address,
            console=progress,
            trace=recorded,
            retry_failed=retry_failed,
        )
    if recorded:
        recorded.write()
    _conclude(out, summary, as_json)


@app.command()
def refine(
    out: Out,
    query: Annotated[str, typer.Argument(help="What is worth the full pass, as for search.", show_default=False)],
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """After `segment --set pass=coarse`: label every frame, but only of the clips in which a query finds something."""
    from vss_ray.cluster.refine import refine as run_refine
    from vss_ray.cluster.session import stdout_for_answers

    with stdout_for_answers():
        summary = run_refine(out, query, address=address, console=progress)
    _conclude(out, summary, as_json)


def _conclude(out: str, summary: Summary, as_json: bool) -> None:
    """Print what was done; exit code 2 where something failed."""
    run = Run.open(Location.open(out))
    if as_json:
        print_json(summary.to_dict())
    else:
        Console().print(summary.table(run.taxonomy))
    if summary.clips_damaged:
        progress.print(as_text(f"{summary.clips_damaged} clips are of damaged files: {HOW_DAMAGED.format(out)}"))
    if summary.clips_failed or summary.videos_failed or summary.clips_quarantined:
        _print_failures(run.failures()[:10])
        raise typer.Exit(2)


@app.command()
def status(
    out: Out,
    compact: Annotated[bool, typer.Option("--compact", help="Rebuild the tables from the commits first.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is done, what is left, what failed and why."""
    from vss_ray.index.build import compact as compact_tables
    from vss_ray.index.tables import count_damaged
    from vss_ray.storage.commit import drop_superseded, in_full, passes
    from vss_ray.storage.lease import lease

    run = Run.open(Location.open(out))
    planned = {(row["video_id"], row["clip_id"]): row for row in run.manifest_rows()}
    done = {key: best for key, best in passes(run.location).items() if key in planned}
    coarse = [key for key, best in done.items() if best == COARSE]
    if compact:
        with lease(run.location, progress) as held:
            full = in_full(run.location)
            held.check()
            compact_tables(run.location, list(planned))
            drop_superseded(run.location, full)
    seconds = {key: row["stop_seconds"] - row["start_seconds"] for key, row in planned.items()}
    failures = [failure for failure in run.failures() if done.get((failure.video_id, failure.clip_id or "")) != FULL]
    content = {
        "fingerprint": run.fingerprint,
        "source": run.source,
        "clips": len(planned),
        "done": len(done),
        "coarse": len(coarse),
        "left": len(planned) - len(done),
        "seconds": sum(seconds.values()),
        "seconds_done": sum(seconds[key] for key in done),
        "seconds_coarse": sum(seconds[key] for key in coarse),
        "damaged": count_damaged(run.location),
        "failed": [vars(failure) for failure in failures],
        "summary": run.content().get("summary"),
    }
    if as_json:
        print_json(content)
        return
    table = Table("clips", "done", "of these coarse", "damaged", "left", "failed", "video", "of it done", "coarse")
    table.title = as_markup(f"{out}: {run.source}")
    counts = (content[name] for name in ("clips", "done", "coarse", "damaged", "left"))
    lengths = (f"{content[name]:,.1f} s" for name in ("seconds", "seconds_done", "seconds_coarse"))
    table.add_row(*map(str, counts), str(len(failures)), *lengths)
    Console().print(table)
    last = content["summary"]
    if last and last["run_seconds"]:
        speed = f"{last['frames'] / last['run_seconds']:,.1f} frames/s, {last['run_seconds']:,.1f} s"
        Console().print(f"last attempt: {speed}", highlight=False)
    if content["damaged"]:
        Console().print(as_text(HOW_DAMAGED.format(out)))
    _print_failures(failures)


def _print_failures(failures: Sequence[Failure]) -> None:
    for failure in failures:
        how = ", ".join([*filter(None, [failure.signal]), *([f"{failure.attempts} attempts"] * (failure.attempts > 1))])
        about = as_markup(f"{failure.stage} ({how})" if how else failure.stage)
        progress.print(f"[red]{about}: {as_markup(failure.message)}", highlight=False, soft_wrap=True)
