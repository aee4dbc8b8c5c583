"""Streams that run when they like, for tests without a GPU: whatever order the events leave open may happen.

Copies between tensors are queued on the current stream, as a GPU does; what reads them too early sees old numbers, and
what overwrites them too early is seen by those who come late.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Stream:
    """Work in the order in which it was queued."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.queue: deque[tuple[Callable[[], bool], Callable[[], None]]] = deque()


class Streams(TorchDispatchMode):
    """Stands for ``torch.cuda`` while it is active.

    Args:
        seed: Of the order, of how fast each stream is, and of how far the host runs ahead of all.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._eagerness = self._random.choice([0.0, 0.2, 0.5, 0.8])
        self._all: list[Stream] = []
        self._current = self.Stream()
        self._is_running = False

    def Stream(self) -> Stream:
        self._all.append(Stream(self._random.choice([1, 100, 10_000])))
        return self._all[-1]

    def Event(self) -> Event:
        return Event(self)

    def current_stream(self) -> Stream:
        return self._current

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self._current = self._current, stream
        yield
        self._current = before

    def do(self, action: Callable[[], None], ready: Callable[[], bool] = lambda: True) -> None:
        """Queue it; perhaps something happens at once."""
        self._current.queue.append((ready, action))
        while self._random.random() < self._eagerness:
            self._step()

    def until(self, done: Callable[[], bool]) -> None:
        """The host waits."""
        while not done():
            assert self._step(), "everybody waits for somebody else"

    def _step(self) -> bool:
        able = [stream for stream in self._all if stream.queue and stream.queue[0][0]()]
        if able:
            (stream,) = self._random.choices(able, [stream.speed for stream in able])
            _, action = stream.queue.popleft()
            self._is_running = True
            action()
            self._is_running = False
        return bool(able)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._is_running or func is not torch.ops.aten.copy_.default:
            return func(*args, **(kwargs or {}))
        self.do(lambda: func(*args, **(kwargs or {})))
        return args[0]


class Event:
    """As those of ``torch.cuda``: what is waited for is its last record, and nothing before its first."""

    def __init__(self, streams: Streams) -> None:
        self._streams, self._last = streams, [True]

    def record(self, stream: Stream) -> None:
        self._last = mark = [False]
        with self._streams.stream(stream):
            self._streams.do(lambda: mark.__setitem__(0, True))

    def wait(self, stream: Stream) -> None:
        mark = self._last
        with self._streams.stream(stream):
            self._streams.do(lambda: None, lambda: mark[0])

    def synchronize(self) -> None:
        mark = self._last
        self._streams.until(lambda: mark[0])
