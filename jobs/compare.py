"""Every operating point on the labelled drive: compare.md, compare.parquet and compare.png, accuracy against work.

Costs are CPU seconds of one process with one thread a library, of the second of two passes; leave the machine alone
meanwhile. ``python jobs/compare.py CAMVID``, or ``ray job submit -- python jobs/compare.py CAMVID --out DIR``.
"""

from __future__ import annotations

import platform
import re
from datetime import date
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
import typer
from rich.console import Console

from vss_ray import config, datasets
from vss_ray.cluster.evaluate import evaluate
from vss_ray.errors import ConfigError, VssError
from vss_ray.evaluation.variants import BASELINE, num_phases, variants
from vss_ray.export.comparison import Row, markdown, picture, table

console = Console(stderr=True)


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the dataset.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path(),
    names: Annotated[list[str] | None, typer.Option("--config", help="Operating point; none: all of configs/.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE for all of them.")] = None,
    dataset: Annotated[str, typer.Option(help="See vss evaluate.")] = "camvid",
    phases: Annotated[bool, typer.Option(help="Average and minimum over all phases as well.")] = False,
    address: Annotated[str | None, typer.Option(help="Ray cluster; none: this machine.")] = None,
) -> None:
    """Measure, compare, draw."""
    try:
        write(data, out, names or config.names(), overrides or [], dataset, phases, address)
    except VssError as error:
        console.print(f"[bold red]compare:[/] {error}", markup=True, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def write(
    data: Path, out: Path, names: list[str], overrides: list[str], dataset: str, phases: bool, address: str | None
) -> None:
    """See ``main``; ``per_frame`` is always there, and first."""
    points, baselines = variants([*dict.fromkeys([BASELINE, *names])], overrides, ())
    sequences = datasets.load(dataset, data)
    scores = evaluate(sequences, points, protocol="drive", address=address, processes=1, rounds=2)
    regular = {name: point for name, point in points.items() if phases and _is_regular(point)}
    all_phases = evaluate(sequences, regular, protocol="phases", address=address) if regular else {}
    settings = "".join(f" --set {override}" for override in overrides)
    rows = [
        Row.of(
            name,
            points[name].method.name,
            score,
            per_frame=scores[BASELINE],
            baseline=scores[baselines[name]],
            phases=all_phases.get(name),
            command=f"vss evaluate {dataset} DATA --config {name.removeprefix(f'{BASELINE} of ')}{settings}",
        )
        for name, score in scores.items()
    ]
    frames = sum(sequence.num_frames for sequence in sequences)
    facts = {
        "footage": f"{dataset}, {frames} frames, every sequence as one clip",
        "made by": f"`python jobs/compare.py DATA{' --phases' * phases}{settings}`, {date.today()}",
        "hardware": f"{_processor()}; one process, one thread",
        "costs": "CPU milliseconds a frame, without decoding; network time against per_frame's",
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.md").write_text(markdown(rows, facts))
    pq.write_table(table(rows, facts), out / "compare.parquet")
    (out / "compare.png").write_bytes(picture(rows, f"{facts['footage']}; {_processor()}, one thread, {date.today()}"))
    print(markdown(rows, facts))


def _is_regular(point: config.OperatingPoint) -> bool:
    try:
        return num_phases(point) > 0
    except ConfigError:
        return False


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


if __name__ == "__main__":
    typer.run(main)
