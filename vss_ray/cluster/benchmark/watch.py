"""What a run of the main job looks like from outside: when clips were worked on, and what the object store held."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import ray

from vss_ray.cluster.rows import Row
from vss_ray.cluster.trace import Trace

LOOKS_A_SECOND = 10


@dataclass(frozen=True)
class Worked:
    """One clip; times are Unix seconds."""

    frames: int
    began: float
    prepared: float
    """When the first stage had done it."""
    prepare_seconds: float
    """CPU seconds of that."""
    loaded: float
    """When the network that it was given to had been loaded."""
    ended: float
    """When it was committed."""


class Clips(Trace):
    """A trace that is kept instead of written."""

    def __init__(self) -> None:
        self.worked: list[Worked] = []

    def add(self, row: Row) -> None:
        """A clip that is through; one that failed has no end."""
        costs = row.story.costs
        if row.story.failure is None:
            names = ("prepare_began", "prepare_ended", "prepare_seconds", "load_ended", "finish_ended")
            self.worked.append(Worked(int(costs["num_frames"]), *(costs[name] for name in names)))


def run_seconds(clips: list[Worked], cores: int) -> float:
    """Seconds of work, loading left out: what was decoded meanwhile counts with the time it takes on all cores.

    Networks load while the first clips are decoded. Had they not, the clock would start when they are loaded; so it
    does, and the work that was done before is added.
    """
    loaded = min(clip.loaded for clip in clips)
    began, ended = min(clip.began for clip in clips), max(clip.ended for clip in clips)
    if loaded <= began:
        return ended - began
    early = 0.0
    for clip in clips:
        lasted = max(clip.prepared - clip.began, 1e-9)
        early += clip.prepare_seconds * min(max(loaded - clip.began, 0.0) / lasted, 1.0)
    return ended - loaded + early / cores


def in_flight(clips: list[Worked]) -> int:
    """Most frames at once between the beginning of their clip's decoding and its commit."""
    begins = [(clip.began, clip.frames) for clip in clips]
    events = sorted(begins + [(clip.ended, -clip.frames) for clip in clips])
    most = now = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


class Store:
    """Looks at the object store, as Ray reports it, until it is left; Ray must be there."""

    def __init__(self) -> None:
        self.peak = 0.0
        """Bytes."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Store:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        name = "object_store_memory"
        total = ray.cluster_resources()[name]
        while not self._over.wait(1 / LOOKS_A_SECOND):
            self.peak = max(self.peak, total - ray.available_resources().get(name, total))
