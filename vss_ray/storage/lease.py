"""One command at a time works on an output: ``run.lock`` in it says which.

Two at a time would write the same masks, see ``commit``, but each would do the other's work again, and the tables of
one could take the place of newer ones. So the second is refused.
The file is created only where there is none, which disks and S3 both can. Its owner writes it anew every few seconds;
whoever finds it watches it for a minute, and takes its place if nothing changes: then the owner is dead. Nobody's clock
is asked. An owner on the same machine whose process is gone is dead at once: after a kill nobody waits.

What this gives, and what it does not. Who is alive and beats is not displaced, as long as no command stands still
between two of its own calls: for a minute at work, for a second while it takes the place of a dead one, for any time
between the read and the write of a beat, or of giving back. One that does (a laptop that slept, storage that was
away) may be displaced, or displace another. Who was displaced notices at the next beat, and at the latest before it
writes tables, and then writes none. Until then two may be at work; they do the same work twice, but by ``commit`` to
the same bytes, and what tables lack is made anew by the next command. tests/storage/lease_model.py goes through the
orders of steps.

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
from dataclasses import dataclass
from pathlib import Path
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


@dataclass
class Held:
    """An output that is held."""

    location: Location
    owner: str
    is_displaced: bool = False
    """Whether another command was seen to have taken its place."""

    def check(self, *, look: bool = True) -> None:
        """Refuse to go on for who was displaced.

        Args:
            look: At the lock, now; else only what the last beat saw.

        Raises:
            StorageError: Another command has the output.
        """
        if look and not self.is_displaced:
            with suppress(StorageError):  # where nothing can be read nobody can have taken it
                self.is_displaced = _holder(self.location).get("owner") not in (None, self.owner)
        if self.is_displaced:
            raise StorageError(
                f"{self.location.root}: this command stood still for so long that another one took its place; what it "
                "committed stays, and the other one goes on with it"
            )


@contextmanager
def lease(location: Location, console: Console) -> Iterator[Held]:
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
        "boot": _boot(),
        "pid_namespace": _pid_namespace(),
        "since": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
    }
    _take(location, owner, console)
    held, is_over = Held(location, owner["owner"]), threading.Event()
    beating = threading.Thread(target=_beat, args=(held, owner, is_over), daemon=True, name="lease")
    beating.start()
    try:
        yield held
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
        if _is_to_be_had(location, console):
            # Written over, not deleted: then nobody who comes just now finds it free. Another one may have found the
            # same owner dead, and write its own name there within moments; the last of them has it.
            location.write(LOCK, _content(owner, 0))
            time.sleep(SETTLE_SECONDS)
            if _holder(location).get("owner") == owner["owner"]:
                return


def _is_to_be_had(location: Location, console: Console) -> bool:
    """Whether the lock is that of an owner that is dead; it may also have gone, or changed hands, meanwhile.

    Raises:
        StorageError: The owner is alive.
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
                return False
            if now != found:
                raise StorageError(
                    f"{location.root} is being worked on by {who}; wait until that is done, or give another OUT"
                )
    return location.exists(LOCK) and _holder(location) == found


def _beat(held: Held, owner: dict[str, Any], is_over: threading.Event) -> None:
    beat = 0
    while not is_over.wait(BEAT_SECONDS) and not held.is_displaced:
        beat += 1
        with suppress(StorageError):
            holder = _holder(held.location).get("owner")
            if holder == held.owner and not is_over.is_set():
                held.location.write(LOCK, _content(owner, beat))
            elif holder is not None:
                held.is_displaced = True


def _holder(location: Location) -> dict[str, Any]:
    """What the lock says; nothing where there is none, or none that can be understood."""
    try:
        return read_mapping(location.read(LOCK))
    except (MissingError, ValueError):
        return {}


def _is_gone(found: dict[str, Any]) -> bool:
    """Whether the owner was a process of this machine that is no more; what cannot be told is watched.

    Where a system has neither starts nor namespaces to tell, such as macOS, the host's name has to do.
    """
    here = {"host": socket.gethostname(), "boot": _boot(), "pid_namespace": _pid_namespace()}
    if any(found.get(name) != value for name, value in here.items()) or not isinstance(found.get("pid"), int):
        return False
    if found["pid"] == os.getpid():
        return True
    try:
        os.kill(found["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _boot() -> str | None:
    """Which start of the machine this is; a name and a process number mean nothing beyond it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _pid_namespace() -> str | None:
    """In which container process numbers are counted."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _content(owner: dict[str, Any], beat: int) -> bytes:
    return json.dumps({**owner, "beat": beat}).encode()
