"""One round: start ``vss segment``, kill whom the plan says, start it again until it ends by itself and well."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.chaos.arrangements import Where
from tests.chaos.plan import SERVER, Fault, Plan
from tests.chaos.server import Server
from tests.chaos.victims import kill
from tests.chaos.watch import Watch
from vss_ray.errors import StorageError
from vss_ray.storage.commit import committed
from vss_ray.storage.location import Location

MOST_RUNS = 10
RUN_SECONDS = 300.0
"""A run that takes longer hangs."""
POLL_SECONDS = 0.05
COUNT_SECONDS = 0.2
WATCH_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
"""A fault waits so long for its victim to turn up."""
MEND_SECONDS = 3.0
"""A second node that was killed is replaced so much later."""


class UnfinishedError(Exception):
    """A run hangs, or fails again and again."""


@dataclass
class Course:
    """What happened in a round."""

    exits: list[int] = field(default_factory=list)
    """Exit codes of all runs."""
    said: list[str] = field(default_factory=list)
    """Last line of each run that ended by itself, but not well."""
    injected: Counter[str] = field(default_factory=Counter)
    """By victim."""
    missed: int = 0
    """Faults that found nobody: the run was over."""
    seconds: float = 0.0

    def __str__(self) -> str:
        late = f", {self.missed} too late" if self.missed else ""
        said = "".join(f" ({line})" for line in self.said)
        return f"{self.injected.total()} struck{late}, exits {self.exits}{said}, {self.seconds:.1f} s"


class Round:
    """A round at work.

    Args:
        plan: What is to happen.
        where: ``vss segment`` works.
        server: Of S3.
        watch: Told of all processes.
        env: Of ``vss segment``.
        log: What the last run said.
        options: Of ``vss segment``.
    """

    def __init__(
        self,
        plan: Plan,
        where: Where,
        server: Server,
        watch: Watch,
        *,
        env: dict[str, str],
        log: Path,
        options: Sequence[str],
    ) -> None:
        self._where, self._server, self._watch = where, server, watch
        self._env, self._log = env, log
        self._options = [*options, *where.options]
        self._poisoned = plan.poison is not None
        self._chance = random.Random(plan.seed)
        self._faults = deque(plan.faults)
        self._course = Course()

    def play(self, source: str, location: Location, planned: int) -> Course:
        """From the first run to the last one.

        Args:
            source: The archive.
            location: OUT, which holds nothing yet.
            planned: Clips that can be done.

        Raises:
            UnfinishedError: There is no last one.
        """
        began = time.monotonic()
        vss = Path(sys.executable).with_name("vss")
        command = [str(vss), "segment", source, location.root, *self._options]
        while not self._is_over(location, planned):
            if len(self._course.exits) == MOST_RUNS:
                raise UnfinishedError(f"exit codes {self._course.exits}, the last run said:\n{self._said()}")
            with self._log.open("w") as log:
                process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self._env)
            try:
                self._course.exits.append(self._disturb(process, location, planned))
            finally:
                process.kill()
                process.wait()
            if self._course.exits[-1] > 0:
                self._course.said.append(" ".join(self._said().split())[-200:])
        self._course.missed = len(self._faults)
        self._course.seconds = time.monotonic() - began
        return self._course

    def _is_over(self, location: Location, planned: int) -> bool:
        """Ended with 0, or, of poison alone, with 2."""
        if not self._poisoned:
            return self._course.exits[-1:] == [0]
        return self._course.exits[-1:] == [2] and _count(location) == planned

    def _disturb(self, process: subprocess.Popen, location: Location, planned: int) -> int:
        """Until the driver ends; its exit code."""
        started, driver = time.monotonic(), psutil.Process(process.pid)
        next_count = next_watch = next_mend = started
        done, due = 0, None  # clips, and when the next fault strikes
        while process.poll() is None:
            now = time.monotonic()
            if now > started + RUN_SECONDS:
                raise UnfinishedError(f"run {len(self._course.exits) + 1} hangs, it said:\n{self._said()}")
            if self._faults and due is None:
                if now > next_count:
                    done, next_count = _count(location), time.monotonic() + COUNT_SECONDS
                fault = self._faults[0]
                if fault.share == 0:
                    due = started + fault.seconds
                elif done >= fault.share * planned:
                    due = now + fault.seconds
            elif due is not None and now > due:
                if self._strike(self._faults[0], driver):
                    self._course.injected[self._faults[0].victim] += 1
                elif now < due + PATIENCE_SECONDS:
                    time.sleep(POLL_SECONDS / 10)
                    continue
                else:
                    self._course.missed += 1
                self._faults.popleft()
                due, next_mend = None, time.monotonic() + MEND_SECONDS
            if now > next_mend:
                self._where.mend()
                next_mend = time.monotonic() + MEND_SECONDS
            if now > next_watch:
                self._watch.look(driver, self._where.ray(driver))
                next_watch = time.monotonic() + WATCH_SECONDS
            time.sleep(POLL_SECONDS)
        return process.wait()

    def _strike(self, fault: Fault, driver: psutil.Process) -> bool:
        if fault.victim == SERVER:
            self._server.kill(self._chance.uniform(0.0, 2.0))
            return True
        return kill(fault.victim, driver, self._where, self._chance)

    def _said(self) -> str:
        return self._log.read_text()[-3000:]


def _count(location: Location) -> int:
    """Clips that are done; none while the storage does not answer."""
    try:
        return len(committed(location))
    except StorageError:
        return 0
