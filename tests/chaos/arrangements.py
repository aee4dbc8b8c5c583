"""Where ``vss segment`` works: with a Ray of its own, or on a cluster of two nodes that is mended after every round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import psutil
from ray.cluster_utils import Cluster


class Where(Protocol):
    """What a round needs to know of it."""

    options: Sequence[str]
    """Of ``vss segment``."""

    def ray(self, driver: psutil.Process) -> list[psutil.Process]:
        """All processes of Ray that work for the driver, itself not among them."""
        ...

    def second_node(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        """Its raylet; and all of its processes, the raylet among them."""
        ...

    def mend(self) -> None:
        """Put a node in the place of one that was killed. Call it in the main thread."""
        ...


class Alone:
    """Ray comes and goes with the driver."""

    options: Sequence[str] = ()

    def ray(self, driver: psutil.Process) -> list[psutil.Process]:
        return children(driver)

    def second_node(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        return [], []

    def mend(self) -> None:
        pass


class TwoNodes:
    """Two raylets on this machine, a core each.

    Args:
        env: What their processes see beside this process's own variables.
    """

    def __init__(self, env: dict[str, str]) -> None:
        self._node: dict[str, Any] = {"num_cpus": 1, "env_vars": env}
        self._cluster = Cluster(initialize_head=True, head_node_args={**self._node, "include_dashboard": False})
        self._second = self._cluster.add_node(**self._node)
        self.options: Sequence[str] = ("--address", self._cluster.address)

    def ray(self, driver: psutil.Process) -> list[psutil.Process]:
        return [*_processes(self._cluster.head_node), *_processes(self._second)]

    def second_node(self) -> tuple[list[psutil.Process], list[psutil.Process]]:
        return _processes(self._second, "raylet"), _processes(self._second)

    def mend(self) -> None:
        if _processes(self._second, "raylet"):
            return
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._cluster.add_node(**self._node)

    def close(self) -> None:
        self._cluster.shutdown()


def children(process: psutil.Process) -> list[psutil.Process]:
    """Of a process that may be gone."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _processes(node: Any, kind: str | None = None) -> list[psutil.Process]:
    """Those of a node that live, their children included; or only those of a kind."""
    found = []
    for name, started in node.all_processes.items():
        for each in started:
            if kind not in (None, name) or each.process.poll() is not None:
                continue
            try:
                process = psutil.Process(each.process.pid)
            except psutil.NoSuchProcess:
                continue
            found += [process] if kind else [process, *children(process)]
    return found
