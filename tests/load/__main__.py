"""``make load``: very many clips, objects and readers; prints a table, exit code 1 if a bound is broken."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.load import crowd, large, listing, many_clips
from tests.load.figures import table
from tests.load.watch import Clock

PARTS = {
    "clips": (many_clips.run, 2000, 60),
    "listing": (listing.run, 50_000, 2000),
    "crowd": (crowd.run, 200, 30),
    "large": (large.run, 300, 60),
}
"""What runs, with how much (videos, objects, videos, frames), and with how much of it in ``--smoke``."""


def main() -> int:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="none: all")
    parser.add_argument("--smoke", action="store_true", help="little of everything, about two minutes")
    parser.add_argument("--times", type=float, default=1.0, help="so many times as much of everything")
    arguments = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    figures = []
    for name in arguments.parts or PARTS:
        part, much, little = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="vss-load-") as folder, Clock() as clock:
            figures += part(Path(folder), round((little if arguments.smoke else much) * arguments.times))
        print(f"{name}: {clock.seconds:.0f} s", file=sys.stderr)
    broken = sum(not figure.holds for figure in figures)
    Console(width=None if sys.stdout.isatty() else 110).print(table(figures, f"load: {broken} broken"))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
