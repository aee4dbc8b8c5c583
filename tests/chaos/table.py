"""The closing table, and whether it is good."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.table import Table

from tests.chaos.plan import SERVER, VICTIMS
from tests.chaos.rounds import Course
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

MOST_FILES = 512
"""Open at once in one process: half of what systems allow by default."""
MOST_SESSION_BYTES = 200e6


@dataclass
class Total:
    """Sums over rounds."""

    rounds: int = 0
    runs: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    clips: int = 0
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    strays: int = 0
    unfinished: int = 0
    """Rounds without an end."""
    requests: int = 0
    """To the S3 server that went wrong on the way."""
    survivors: int = 0
    """Processes that lived on after all of it."""

    def add(self, course: Course, verdict: Verdict) -> None:
        """A round that came to its end."""
        self.rounds += 1
        self.runs += len(course.exits)
        self.injected += course.injected
        self.missed += course.missed
        self.clips += len(verdict.done)
        self.lost += len(verdict.lost)
        self.doubled += len(verdict.doubled)
        self.differing += len(verdict.differing)
        self.strays += len(verdict.strays)

    def complaints(self, watch: Watch) -> list[str]:
        """What must not be; nothing if all is well."""
        found = [f"{name}: {count}, wanted 0" for name, count in self._never().items() if count]
        # Fewer rounds than victims kill not each of them; in few, a fault that came too late may be all of its kind.
        if self.rounds >= (2 if self.missed else 1) * len(VICTIMS):
            victims = (*VICTIMS, SERVER)
            found += [f"no {victim} was killed: nothing is shown" for victim in victims if not self.injected[victim]]
        if not self.injected:
            found.append("nothing was killed: nothing is shown")
        if max(watch.driver_files, watch.worker_files) > MOST_FILES:
            found.append(f"a process has more than {MOST_FILES} files and sockets open")
        if watch.session_bytes > MOST_SESSION_BYTES:
            found.append(f"a session of Ray keeps more than {MOST_SESSION_BYTES / 1e6:.0f} MB of logs")
        return found

    def table(self, seed: int, watch: Watch) -> Table:
        """For people."""
        table = Table("what", "number", title=f"chaos, seed {seed}")
        killed = ", ".join(f"{count} {victim}" for victim, count in sorted(self.injected.items()))
        rows = [
            ("rounds", f"{self.rounds}, in {self.runs} runs"),
            ("faults injected", f"{self.injected.total()}: {killed}; {self.missed} came too late"),
            ("requests to S3 that failed", str(self.requests)),
            ("clips done", str(self.clips)),
            *((name, str(count)) for name, count in self._never().items()),
            ("open files, at most", f"driver {watch.driver_files}, worker {watch.worker_files}"),
            ("of them sockets", str(watch.sockets)),
            ("object store", f"{watch.store_bytes / 1e6:.1f} MB at most"),
            ("a session's folder", f"{watch.session_bytes / 1e6:.1f} MB at most"),
            ("files left in TMPDIR", f"{watch.left_behind} at most"),
        ]
        for row in rows:
            table.add_row(*row)
        return table

    def _never(self) -> dict[str, int]:
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "differing": self.differing,
            "stray files": self.strays,
            "rounds without an end": self.unfinished,
            "processes that live on": self.survivors,
        }
