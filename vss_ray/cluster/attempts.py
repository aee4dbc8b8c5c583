"""What kills its worker, or never ends, is tried a few times and then left alone.

Ray starts a worker that died again, and its task with it, without limit and without asking what it died of. So work is
entered in a ledger before it is begun and struck out when it ends, in whatever way. What still stands there when it is
to be begun once more has taken a worker with it. Ray's restarts are the loop; here they are only counted.

A worker that dies of a signal leaves a trace in a file on its node. One that takes too long is ended, with a trace, by
a thread that needs neither the interpreter nor its lock (``faulthandler``). One that has lost its GPU ends itself, and
leaves the error. One that leaves an empty file was killed from outside.
"""

from __future__ import annotations

import faulthandler
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import get_ident
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vss_ray.clips import Clip
from vss_ray.cluster.lost_gpu import lost_gpu
from vss_ray.errors import VssError

MOST = 3
"""Attempts, unless told otherwise: what died once or twice may have had a neighbor that took all memory."""
FLOOR_SECONDS = 600.0
"""What every piece of work may take: storage that is silent is asked again for over seven minutes, see ``patience``."""
SECONDS_A_FRAME = {"prepare": 1.0, "infer": 10.0, "finish": 1.0}
"""What it may take above that: a hundred times what decoding and motion of a large frame cost a slow core; networks of
others, on a CPU, are a thing of seconds."""
LOAD_SECONDS = 1800.0
"""For networks: some are fetched first."""
ANSWER_SECONDS = 60.0
"""For a look at a file on another node."""
SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating": "SIGFPE",
}
"""How ``faulthandler`` calls them."""
LOST = "Lost GPU: "
"""How the trace of a worker begins that ended itself."""
FRAME = re.compile(r'most recent call first\):\s*File "(?:.*/)?(?P<file>[^"/]+)", line (?P<line>\d+) in (?P<name>\S+)')


class Deadly(VssError):
    """Work that is left alone: it has taken as many workers with it as it may."""

    def __init__(self, message: str, attempts: int, signal: str | None) -> None:
        super().__init__(message)
        self.attempts, self.signal = attempts, signal


class WorkerDied(Deadly):
    """By a signal, with its node, or because its GPU was lost."""


class TimedOut(Deadly):
    """Ended by the watchdog."""


@dataclass(frozen=True)
class Place:
    """Where work was begun."""

    node: str
    """Ray's id of it."""
    trace: str
    """File on that node."""
    thread: int
    """That does it."""


class Attempts:
    """Counts for one command; goes to workers by value, and all copies count together.

    Args:
        most: How often work may be begun that does not end.
        seconds: What a stage may take for clips; None: see ``patience``.
    """

    def __init__(self, most: int = MOST, seconds: float | None = None) -> None:
        self.most, self._seconds = most, seconds
        # Where the driver is: what takes that node with it takes all.
        self._ledger: Any = _Ledger.options(scheduling_strategy=_on(ray.get_runtime_context().get_node_id())).remote()

    def once_more(self) -> Attempts:
        """The same counts, and one attempt more."""
        more = copy(self)
        more.most += 1
        return more

    @contextmanager
    def at(self, stage: str, work: Mapping[str, str], seconds: float) -> Iterator[None]:
        """Enter a piece of work, or several that are done at once, under the eyes of the watchdog.

        Args:
            stage: What is done; counts of stages are kept apart.
            work: Key -> how to call it in a sentence.
            seconds: When it takes more, it hangs.

        Raises:
            WorkerDied: One of them has been begun as often as it may, and did not end.
            TimedOut: The same, the last time because of the watchdog.

        An error after which this process can use its GPU no more ends the process.
        """
        keys = list(work)
        with NamedTemporaryFile(prefix="vss-ray-", suffix=".trace") as file:
            place = Place(ray.get_runtime_context().get_node_id(), file.name, get_ident())
            hopeless = _answer(self._ledger.begin.remote(stage, keys, place, self.most))
            if hopeless:
                key, places = hopeless.popitem()
                raise _deadly(f"{work[key]}: {stage}", places, seconds)
            faulthandler.enable(file, all_threads=False)
            faulthandler.dump_traceback_later(seconds, exit=True, file=file)
            try:
                yield
            except Exception as error:
                if lost := lost_gpu(error):
                    # Every other clip would fail here as well. What still stands in the ledger is tried elsewhere.
                    file.write(f"{LOST}{lost}".encode())
                    file.flush()
                    os._exit(1)
                raise
            finally:
                faulthandler.cancel_dump_traceback_later()
                faulthandler.enable(all_threads=False)  # back to Ray's log
                self._ledger.end.remote(stage, keys)  # nobody waits: calls of one process arrive in their order

    def on(self, stage: str, clips: Sequence[Clip]) -> AbstractContextManager[None]:
        """Enter clips; see ``at``."""
        work = {_key(clip): f"{clip.source}, frames {clip.start} to {clip.stop}" for clip in clips}
        return self.at(stage, work, self._seconds or patience(stage, clips))

    def loading(self) -> AbstractContextManager[None]:
        """Enter the networks that this actor loads; it is the same actor when it is started again."""
        return self.at("loading", {str(ray.get_runtime_context().get_actor_id()): "the networks"}, LOAD_SECONDS)

    def suspects(self, stage: str, clips: Sequence[Clip]) -> list[Clip]:
        """Those that were begun before and did not end: of those that were done at once, at least one is guilty."""
        open_ = _answer(self._ledger.begun.remote(stage, [_key(clip) for clip in clips]))
        return [clip for clip in clips if _key(clip) in open_]

    def longest(self, tasks: Iterable[Sequence[Clip]]) -> float:
        """Seconds for which the watchdog may look on while no task gets anywhere: all stages of all of its clips."""
        each = (
            sum(self._seconds or patience(stage, [clip]) for clip in clips for stage in SECONDS_A_FRAME)
            for clips in tasks
        )
        return max(LOAD_SECONDS, (self.most + 1) * max(each, default=0.0))


def patience(stage: str, clips: Sequence[Clip]) -> float:
    """Seconds after which a stage hangs."""
    return FLOOR_SECONDS + SECONDS_A_FRAME[stage] * sum(clip.num_frames for clip in clips)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class _Ledger:
    """What is being worked on. When it dies itself, counting begins anew."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], list[Place]] = defaultdict(list)

    def begin(self, stage: str, keys: Sequence[str], place: Place, most: int) -> dict[str, list[Place]]:
        """Enter work; but where some of it may not be begun again, only say which, and where it was."""
        hopeless = {key: places for key in keys if len(places := self._begun[stage, key]) >= most}
        for key in keys if not hopeless else ():
            self._begun[stage, key].append(place)
        return hopeless

    def end(self, stage: str, keys: Sequence[str]) -> None:
        for key in keys:
            self._begun.pop((stage, key), None)

    def begun(self, stage: str, keys: Sequence[str]) -> set[str]:
        return {key for key in keys if self._begun.get((stage, key))}


def _key(clip: Clip) -> str:
    return f"{clip.video_id}/{clip.clip_id}"


def _answer(call: Any, seconds: float | None = None) -> Any:
    """What a call gives. Not by ``ray.get``: a task that waits in that gives its core away, to a worker too many."""
    return call.future().result(seconds)


def _on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)


def _deadly(what: str, places: Sequence[Place], seconds: float) -> Deadly:
    """The error that tells how the last attempt ended."""
    traces = [_trace(place) for place in places]  # all of them: to look at one removes it
    trace, tried = traces[-1], f"{what} was tried {len(places)} times"
    # The watchdog writes down all threads, each under its number.
    frame = FRAME.search(trace, max(0, trace.find(f"{places[-1].thread:#018x}"))) if trace else None
    where = f" in {frame['name']} (line {frame['line']} of {frame['file']})" if frame else ""
    if trace is None:
        happened, step, signal = "its node was lost with it the last time", "see to the node", None
    elif trace.startswith("Timeout"):
        step = "raise clip_timeout_seconds, or repair or remove it, and run again with --retry-failed"
        return TimedOut(f"{tried} and not done after {seconds:,.0f} s{where}; {step}", len(places), None)
    elif trace.startswith(LOST):
        happened, signal = f"it left its worker without a GPU ({trace.removeprefix(LOST)})", None
        step = "see to that GPU (dmesg, nvidia-smi -q), or repair or remove it"
    elif not trace:
        happened, signal = "its worker was killed without a trace, most likely because memory ran out", "SIGKILL"
        step = "give workers more memory or fewer neighbors"
    else:
        signal = next((name for text, name in SIGNALS.items() if text in trace.partition("\n")[0]), None)
        happened, step = f"it crashed its worker by {signal or 'a fault'}{where}", "repair or remove it"
    return WorkerDied(f"{tried}, {happened}; {step}, and run again with --retry-failed", len(places), signal)


def _trace(place: Place) -> str | None:
    """What a worker that died left behind; None where its node cannot be asked."""
    if place.node == ray.get_runtime_context().get_node_id():
        return _read(place.trace)
    try:
        return _answer(_read_there.options(scheduling_strategy=_on(place.node)).remote(place.trace), ANSWER_SECONDS)
    except (RayError, NoAnswer):
        return None


def _read(path: str) -> str:
    try:
        text = Path(path).read_text(errors="replace")
        Path(path).unlink()
    except FileNotFoundError:
        return ""
    return text


_read_there = ray.remote(num_cpus=0)(_read)
