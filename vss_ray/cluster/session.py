"""Connecting to Ray, and what there is to work with."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import ray

from vss_ray.errors import ConfigError
from vss_ray.printable import one_line
from vss_ray.storage.patience import variables

SETTINGS = {
    # Ray ends workers that idle for a second, and a stage idles whenever another one has the cores: every other clip
    # paid 1.7 core seconds for a new worker, a tenth of all work.
    "RAY_idle_worker_killing_time_threshold_ms": str(10 * 60 * 1000),
    # What workers print goes to files that Ray lets grow without end unless told; its own logs grow to 512 MB each.
    "RAY_ROTATION_MAX_BYTES": str(16 * 2**20),
    "RAY_ROTATION_BACKUP_COUNT": "3",
}
"""Variables of a Ray that is started here; those that are set already stay."""


OWNER = "vss-ray.pid"
"""In the folder of a Ray that is started here: the process that it ends with."""


@dataclass(frozen=True)
class Resources:
    """Of the whole cluster."""

    cpus: int
    gpus: int


def connect(address: str | None) -> Resources:
    """Join the cluster at ``address`` or in ``RAY_ADDRESS``, else start Ray on this machine; once per process.

    Raises:
        ConfigError: Nothing answers there.
    """
    if not ray.is_initialized():
        address = address or os.environ.get("RAY_ADDRESS")
        if not address:
            for name, value in SETTINGS.items():
                os.environ.setdefault(name, value)
        try:
            started = ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                runtime_env={"env_vars": variables()} if address else None,  # Ray started here inherits them
                log_to_driver=False,
                logging_level=logging.WARNING,
            )
        except Exception as error:  # what Ray raises depends on how far it came
            raise ConfigError(_why(address, error)) from error
        if not address:
            folder = Path(started.address_info["session_dir"])  # type: ignore[attr-defined]
            atexit.register(_leave, folder)
            sweep(folder.parent)
            (folder / OWNER).write_text(str(os.getpid()))
    found = ray.cluster_resources()
    return Resources(max(1, int(found.get("CPU", 1))), int(found.get("GPU", 0)))


@contextmanager
def stdout_for_answers() -> Iterator[None]:
    """Connect to Ray inside; it is left at the end. What Ray prints by itself, of workers that died, goes to stderr."""
    with redirect_stdout(sys.stderr):
        try:
            yield
        finally:
            ray.shutdown()


def _why(address: str | None, error: Exception) -> str:
    said = one_line(str(error))
    if address:
        return (
            f"no Ray cluster answers at {address}: {said}; give --address HOST:6379, or auto on a node of the cluster, "
            "and see README, 'On a cluster', about its token"
        )
    return (
        f"Ray did not start on this machine: {said}; start the command again, its logs are in $RAY_TMPDIR or /tmp/ray"
    )


def sweep(folder: Path) -> None:
    """Take away the folders of Rays that were started here by processes that were killed."""
    for owner in folder.glob(f"session_*/{OWNER}"):
        with suppress(OSError, ValueError):
            try:
                os.kill(int(owner.read_text()), 0)
            except ProcessLookupError:
                shutil.rmtree(owner.parent, ignore_errors=True)


def _leave(folder: Path) -> None:
    """End the Ray that was started here; its folder in /tmp, which Ray leaves there for ever, goes too."""
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
