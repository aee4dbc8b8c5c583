"""Who is killed, and how: SIGKILL, without a word before."""

from __future__ import annotations

import random
from contextlib import suppress

import psutil

from tests.chaos.arrangements import Where

RAY, ACTOR, WORKING = "ray::", "AllStages", ".submit"
"""How Ray titles the processes of its workers; those of our actors; and while one has a clip in hand."""


def kill(victim: str, driver: psutil.Process, where: Where, chance: random.Random) -> bool:
    """Kill it; False where there is none of the kind right now.

    Args:
        victim: One of ``plan.VICTIMS``.
        driver: ``vss segment``.
        where: It works.
        chance: Picks among several.
    """
    found = _find(victim, driver, where)
    if victim in ("worker", "actor") and found:
        found = [chance.choice(found)]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(found)


def _find(victim: str, driver: psutil.Process, where: Where) -> list[psutil.Process]:
    if victim == "driver":
        return [driver]
    if victim in ("raylet", "node"):
        raylet, node = where.second_node()
        return raylet if victim == "raylet" else node
    titles = {process: title(process) for process in where.ray(driver)}
    workers = [process for process, name in titles.items() if name.startswith(RAY)]
    if victim == "worker":
        return workers
    return [process for process in workers if ACTOR in titles[process] and WORKING in titles[process]]


def title(process: psutil.Process) -> str:
    """What a process calls itself."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
