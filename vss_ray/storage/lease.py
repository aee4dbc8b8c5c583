"""One command at a time works on an output: ``run.lock`` in it says which.

Two at a time would write the same masks, see ``commit``, but each would do the other's work again, and the tables of
one could take the place of newer ones. So the second is refused.
The file is created only where there is none, which disks and S3 both can. Its owner writes it anew every few seconds;
whoever finds it watches it for a minute, and takes its place if nothing changes: then the owner is dead. Nobody's clock
is asked. An owner on the same machine whose process is gone is dead at once: after a kill nobody waits.

Where the file cannot be kept up, such as on a full disk, the work goes on without.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.markup import escape

from vss_ray.documents import read_mapping
from vss_ray.errors import StorageError
from vss_ray.printable import printable
from vss_ray.storage.location import Location, MissingError

LOCK = "run.lock"
BEAT_SECONDS = 10.0
DEAD_SECONDS = 60.0
"""Without a beat; a single one may take long, such as while S3 restarts."""
SETTLE_SECONDS = 1.0
"""After taking a dead owner's place, until that is sure."""


@contextmanager
def lease(location: Location, console: Console) -> Iterator[None]:
    """Hold the output while the body runs.

    Args:
        location: OUT.
        console: Told why it takes a moment.

    Raises:
        StorageError: Another command is at work there, or OUT cannot be written.
    """
    owner = {
        "owner": secrets.token_hex(8),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
    }
    _take(location, owner, console)
    is_over = threading.Event()
    beating = threading.Thread(target=_beat, args=(location, owner, is_over), daemon=True, name="lease")
    beating.start()
    try:
        yield
    finally:
        is_over.set()
        beating.join(BEAT_SECONDS)
        with suppress(StorageError):
            if _holder(location).get("owner") == owner["owner"]:
                location.delete(LOCK)


def _take(location: Location, owner: dict[str, Any], console: Console) -> None:
    """Put our name into the lock.

    Raises:
        StorageError: Another command is at work there, or OUT cannot be written.
    """
    while not location.create(LOCK, _content(owner, 0)):
        _outlive(location, console)
        if location.create(LOCK, _content(owner, 0)):
            # Another one may have found the same owner dead, and be about to delete what it takes for that one's lock.
            time.sleep(SETTLE_SECONDS)
            if _holder(location).get("owner") == owner["owner"]:
                return


def _outlive(location: Location, console: Console) -> None:
    """Delete the lock of an owner that is dead.

    Raises:
        StorageError: It is alive.
    """
    found = _holder(location)
    who = f"process {found.get('pid')} on {found.get('host')}, since {found.get('since')}"
    if found and not _is_gone(found):
        console.print(
            escape(
                printable(f"{location.url(LOCK)} names {who}: watching for {DEAD_SECONDS:.0f} s whether it is alive")
            )
        )
        deadline = time.monotonic() + DEAD_SECONDS
        while time.monotonic() < deadline:
            time.sleep(min(BEAT_SECONDS, DEAD_SECONDS) / 5)
            now = _holder(location)
            if now.get("owner") != found.get("owner"):
                return
            if now != found:
                raise StorageError(
                    f"{location.root} is being worked on by {who}; wait until that is done, or give another OUT"
                )
    if _holder(location) == found:
        location.delete(LOCK)


def _beat(location: Location, owner: dict[str, Any], is_over: threading.Event) -> None:
    beat = 0
    while not is_over.wait(BEAT_SECONDS):
        beat += 1
        with suppress(StorageError):
            if _holder(location).get("owner") == owner["owner"] and not is_over.is_set():
                location.write(LOCK, _content(owner, beat))


def _holder(location: Location) -> dict[str, Any]:
    """What the lock says; nothing where there is none, or none that can be understood."""
    try:
        return read_mapping(location.read(LOCK))
    except (MissingError, ValueError):
        return {}


def _is_gone(found: dict[str, Any]) -> bool:
    """Whether the owner was a process of this machine that is no more."""
    if found.get("host") != socket.gethostname() or not isinstance(found.get("pid"), int):
        return False
    if found["pid"] == os.getpid():  # a container that was restarted counts its processes anew
        return True
    try:
        os.kill(found["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _content(owner: dict[str, Any], beat: int) -> bytes:
    return json.dumps({**owner, "beat": beat}).encode()
