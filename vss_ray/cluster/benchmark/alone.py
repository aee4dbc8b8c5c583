"""Everything is measured in a process of its own: peak memory, caches and Ray are its own too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from vss_ray.errors import VssError

CALL = """
import json, sys
from importlib import import_module
module, name, arguments = json.loads(sys.argv[1])
print(json.dumps(getattr(import_module(module), name)(*arguments)))
"""
ONE_THREAD: dict[str, str] = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""What Ray sets for its workers, for processes that stand in for them."""
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


def alone(function: Callable[..., Any], *arguments: Any, environment: dict[str, str] | None = None) -> Any:
    """What a function at the top of a module returns, run in a new process; values are those JSON can hold.

    Args:
        function: Runs there; must not write to stdout after which nothing comes.
        arguments: Its positional ones.
        environment: Variables that are different there.

    Raises:
        VssError: The process failed.
    """
    request = json.dumps([function.__module__, function.__name__, arguments])
    command = [sys.executable, "-c", CALL, request]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise VssError(
            f"benchmark: {function.__module__.rpartition('.')[2]}.{function.__name__}{arguments} ended with code "
            f"{done.returncode}: {done.stderr.strip()[-800:]}"
        )
    return json.loads(done.stdout.strip().splitlines()[-1])
