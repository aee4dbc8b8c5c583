"""``vss`` as people call it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from tests.load.watch import Watch

START = "import sys; from vss_ray.cli import main; sys.argv = ['vss', *sys.argv[1:]]; main()"


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The process of ``vss ARGUMENTS``."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen([sys.executable, "-c", START, *arguments], text=True, env=environment, **options)


def answer(*arguments: str, done: Callable[[], int] = lambda: 0) -> tuple[Any, Watch]:
    """What ``vss ARGUMENTS --json`` prints, and how the process looked meanwhile.

    Args:
        arguments: Of the command.
        done: See ``Watch``.

    Raises:
        RuntimeError: It ended with another exit code than 0.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as told:
        process = started(*arguments, "--json", stdout=out, stderr=told)
        with Watch(process.pid, done) as watch:
            code = process.wait()
        out.seek(0)
        told.seek(0)
        if code:
            raise RuntimeError(f"vss {' '.join(arguments)} ended with code {code}: {told.read()[-2000:]}")
        return json.load(out), watch
