"""Kill everything, at any time, again and again; then count. ``make chaos``, or ``python -m tests.chaos --seed 7``.

A round makes one OUT: ``vss segment`` over an archive of tiny videos, on disk or on S3, while its driver, its workers
and actors, the raylet and the whole of a second node and the S3 server are killed at random times, and requests to
that server go wrong. It is started again until it ends by itself with 0. Then OUT must hold what a run made that
nobody disturbed. All that is drawn follows from the seed; how far a process is when it is struck does not.
"""

from __future__ import annotations

import time
from itertools import count
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.plan import plan
from tests.chaos.rounds import UnfinishedError
from tests.chaos.table import Total
from tests.chaos.verdict import judge
from tests.chaos.workplace import Workplace


def main(
    seconds: Annotated[float, typer.Option(help="No round begins later.")] = 600,
    rounds: Annotated[int, typer.Option(help="But so many are played in any case; five kill each victim.")] = 5,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    first: Annotated[int, typer.Option(help="Number of the first round, to see one again.")] = 0,
) -> None:
    """Play rounds, print the table, exit with 1 if it is not as it must be."""
    console = Console(highlight=False, soft_wrap=True)
    began, total = time.monotonic(), Total()
    with Workplace() as workplace:
        clips = len(workplace.reference.clips)
        console.print(f"seed {seed}: {clips} clips, {workplace.calm_seconds:.1f} s if nobody disturbs")
        for number in count(first):
            if time.monotonic() - began > seconds and number - first >= rounds:
                break
            drawn = plan(seed, number)
            console.print(str(drawn), end="", markup=False)
            try:
                course, out = workplace.play(drawn)
            except UnfinishedError as error:
                total.unfinished += 1
                console.print(f": {error}", style="red", markup=False)
                continue
            verdict = judge(out, workplace.reference, workplace.poisoned(drawn))
            total.add(course, verdict)
            console.print(f": {course}: {verdict}", style="" if verdict.is_clean else "red", markup=False)
    total.survivors, total.requests = len(workplace.survivors), workplace.requests
    console.print(total.table(seed, workplace.watch))
    complaints = total.complaints(workplace.watch)
    for complaint in [*complaints, *workplace.survivors]:
        console.print(complaint, style="red", markup=False)
    raise SystemExit(bool(complaints))


if __name__ == "__main__":
    typer.run(main)
