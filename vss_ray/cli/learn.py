"""Commands that train and measure."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from vss_ray.cli.app import Address, AsJson, Overrides, app, print_json, progress
from vss_ray.cli.values import as_markup
from vss_ray.errors import ConfigError

WORK = Path("/tmp/vss-benchmark")
OBJECT_COLUMNS = {
    "j_and_f": "J&F",
    "j_mean": "J",
    "f_mean": "F",
    "auc": "AUC",
    "precision": "precision",
    "normalized_precision": "normalized precision",
    "ao": "AO",
    "sr_50": "SR 0.50",
    "sr_75": "SR 0.75",
    "recovered": "lost, then found",
    "found": "found",
    "jumped": "mistaken",
    "lost_at_end": "away, said so",
}
"""Figures of objects, and what a table calls them."""


@app.command()
def train(
    method: Annotated[str, typer.Argument(help="segmenter (the keyframe network), evs, gsvnet, dcfm, lmanet or rts.")],
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
        print_json(report)
        return
    table = Table("", "on the drive", title=as_markup(f"{out}: {method}, measured on {data}/val"))
    for name, value in {**report, **report.get("iou", {})}.items():
        if isinstance(value, int | float):
            table.add_row(name, f"{value:.3f}")
    Console().print(table)


@app.command()
def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Classes: camvid, camvid32, cityscapes, vspw, scenes or videos. "
            "Objects: davis, youtube_vos, lasot, got10k, otb or occlusions."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Its folder; how many, for scenes, occlusions.", show_default=False)],
    config_names: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            help="Operating point, evs if none; of objects, how they are followed, all ways if none; repeat it.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    every: Annotated[str, typer.Option(help="Distances of keyframes to try, with both directions each.")] = "",
    split: Annotated[
        str | None, typer.Option(help="Of the dataset; none: val, or what is usual.", show_default=False)
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="drive: once; phases: every labeled frame at every distance to its keyframe.")
    ] = "drive",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy of operating points on labelled footage beside the network on every frame, or of following objects."""
    from vss_ray.cluster.evaluate import compare
    from vss_ray.cluster.session import stdout_for_answers
    from vss_ray.datasets import TRACKED

    if dataset in TRACKED:
        if every or protocol != "drive":
            raise ConfigError(f"{dataset}: objects have no keyframes; leave --every and --protocol out")
        _evaluate_objects(dataset, data, config_names or (), overrides or (), split, address, as_json=as_json)
        return
    try:
        distances = [int(part) for part in every.split(",") if part]
    except ValueError as error:
        raise ConfigError(f"--every {every!r}: wanted numbers with commas between them, such as 2,5,10") from error
    names = config_names or ["evs"]
    with stdout_for_answers():
        rows = compare(
            dataset, data, names, overrides or (), distances, split=split or "val", protocol=protocol, address=address
        )
    if as_json:
        print_json(rows)
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
    part_names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PARTS",
            help="limits, frame, masks, labels, coarse, camera, sides, plumbing, "
            "memory, growth, objects; none: all, about 25 minutes on 2 cores.",
            show_default=False,
        ),
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder for archives, which are kept, and outputs.")] = WORK,
    store: Annotated[
        Path | None, typer.Option(help="JSON file in which parts add up; none: benchmark.json in WORK.")
    ] = None,
    stored: Annotated[bool, typer.Option(help="Measure nothing; take what the file holds.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Interleaved rounds of what one process measures.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds of whole jobs.")] = 1,
    archives: Annotated[
        list[str] | None, typer.Option("--archive", help="480x360, 1280x720 or 2048x1024; repeat it; none: all.")
    ] = None,
    networks: Annotated[
        list[str] | None, typer.Option("--network", help="default, larger, or NAME=WEIGHTS; repeat it; none: both.")
    ] = None,
    dashcam: Annotated[Path | None, typer.Option(help="Footage for 1280x720.")] = None,
    footage: Annotated[list[Path] | None, typer.Option(help="Video of a camera that stands; repeat it.")] = None,
    long: Annotated[bool, typer.Option(help="Hours of video, too: memory and growth.")] = False,
    smoke: Annotated[bool, typer.Option(help="Seconds of everything, to see whether it runs.")] = False,
    compare: Annotated[Path | None, typer.Option(help="An older file: what changed, and whether it is noise.")] = None,
    readme: Annotated[Path | None, typer.Option(help="README.md whose Speed section is made anew.")] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Speed beside its limits: this project, its per-frame baseline and what a user would write, side by side."""
    from vss_ray.cluster.benchmark import compare as changes
    from vss_ray.cluster.benchmark import parts, tables
    from vss_ray.cluster.benchmark import readme as speed_section
    from vss_ray.cluster.benchmark.document import Document, measure
    from vss_ray.cluster.benchmark.settings import SMOKE, Settings, Sizes, networks_from

    settings = Settings(
        work=work,
        console=progress,
        repeats=repeats,
        rounds=rounds,
        archives=tuple(archives) if archives else Settings.archives,
        dashcam=dashcam,
        footage=tuple(footage or ()),
        networks=networks_from(networks or ()),
        overrides=tuple(overrides or ()),
        long=long,
        sizes=SMOKE if smoke else Sizes(),
    )
    file = store or work / "benchmark.json"
    older = Document.load(compare) if compare else None
    document = Document.load(file) if file.exists() or stored else Document()
    chosen = [] if stored else list(part_names or parts.NAMES)
    for name in chosen:
        parts.load(name)
    for name in chosen:
        document.add(name, measure(name, settings))
        document.save(file)
    document = document.sorted()
    if as_json:
        print_json(document.to_dict())
    else:
        out = Console(width=None if sys.stdout.isatty() else 200)
        for name in chosen or document.entries:
            out.print(tables.terminal(name, document.entries[name]))
        out.print(tables.goal_table(document))
        if older is not None:
            out.print(changes.table(list(changes.changes(older, document))))
    if readme is not None:
        speed_section.write(readme, document)


def _evaluate_objects(
    dataset: str,
    data: Path,
    names: Sequence[str],
    overrides: Sequence[str],
    split: str | None,
    address: str | None,
    *,
    as_json: bool,
) -> None:
    from vss_ray.cluster.evaluate_objects import compare
    from vss_ray.cluster.session import stdout_for_answers

    if overrides:
        raise ConfigError(f"--set {overrides[0]}: objects are followed as --config names it; leave --set out")
    with stdout_for_answers():
        rows = compare(dataset, data, names, split=split, address=address)
    if as_json:
        print_json(rows)
        return
    shown = [name for name in OBJECT_COLUMNS if name in rows[0]]
    table = Table("followed by", *(OBJECT_COLUMNS[name] for name in shown), "frames/s")
    for row in rows:
        table.add_row(row["name"], *(_percent(row[name]) for name in shown), f"{row['frames_per_second']:.1f}")
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"
