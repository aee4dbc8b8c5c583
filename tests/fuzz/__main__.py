"""Minutes of broken input for every reader: ``make fuzz``, or ``python -m tests.fuzz --seconds 60 --target ffv1``.

Each target has a process of its own, because what lies below may crash: FFmpeg, Arrow. The input in hand is on disk
before it is read. A process that dies, or hangs, leaves it there; it is kept, and another process goes on.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tests.fuzz.contract import HANGS
from tests.fuzz.loop import CURRENT, keep
from tests.fuzz.targets import TARGETS

START_SECONDS = 60.0
"""For imports and seeds."""


def main(
    seconds: Annotated[float, typer.Option(help="For each target.")] = 60,
    target: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    into: Annotated[Path, typer.Option(help="Folder for inputs that break a promise.")] = Path(".fuzz"),
    guided: Annotated[bool, typer.Option(help="By coverage, where that says something and atheris is there.")] = True,
) -> None:
    """Read broken input for a while; exit with 1 if a promise was broken."""
    if unknown := set(target or ()) - TARGETS.keys():
        raise typer.BadParameter(f"no target {', '.join(sorted(unknown))}; there is {', '.join(TARGETS)}")
    into.mkdir(exist_ok=True)
    found = 0
    for name in target or TARGETS:
        ways = ["loop"]
        if guided and TARGETS[name].is_guided and find_spec("atheris"):
            ways.append("guided")
        for way in ways:
            began = time.monotonic()
            count, problems = _fuzz(name, way, seconds / len(ways), seed, into)
            print(f"{name:10} {way:7} {count:9,} inputs  {time.monotonic() - began:4.0f} s  {len(problems)} kept")
            for path in problems:
                print(f"  {path.with_suffix('.bin')}: {path.read_text().strip()}")
            sys.stdout.flush()
            found += len(problems)
    raise SystemExit(bool(found))


def _fuzz(name: str, way: str, seconds: float, seed: int, into: Path) -> tuple[int, list[Path]]:
    """Read until the time is over, however many processes that takes; how many inputs, and what was kept."""
    stop, count, problems = time.monotonic() + seconds, 0, {}
    while (left := stop - time.monotonic()) > 1:
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            command = [sys.executable, "-m", f"tests.fuzz.{way}", name, str(left), str(seed), folder]
            reason = _watched(command, Path(folder))
            if (counted := Path(folder, "count")).exists():
                count += int(counted.read_text())
            if reason is not None:
                keep(Path(folder), name, Path(folder, CURRENT).read_bytes(), reason)
            for text in Path(folder).glob("*.txt"):
                data, reason_kept = text.with_suffix(".bin").read_bytes(), text.read_text().strip()
                keep(into, name, data, reason_kept)
                problems[reason_kept] = into / text.name
        seed += 1
    return count, list(problems.values())


def _watched(command: list[str], folder: Path) -> str | None:
    """Run it; why it did not end by itself, None if it did."""
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    current, began = folder / CURRENT, time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(0.2)
            waited = time.monotonic() - began - START_SECONDS
            idle = time.time() - current.stat().st_mtime if current.exists() else waited
            if idle > HANGS:
                return f"hangs: {idle:.0f} s"
    finally:
        process.kill()
        process.wait()
    if process.returncode == 0:
        return None
    if not current.exists():
        raise SystemExit(f"{' '.join(command)} did not start:\n{log.read_text()[-2000:]}")
    died = signal.Signals(-process.returncode).name if process.returncode < 0 else f"exit code {process.returncode}"
    return f"crashes: {died}: {' '.join(log.read_text().split())[-300:]}"


if __name__ == "__main__":
    typer.run(main)
