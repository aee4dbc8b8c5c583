"""Answers that were costly to make, kept while there is room: those used longest ago go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Remembered:
    """A store of bytes by key that many threads share; an answer that several ask for at once is made once."""

    def __init__(self, most_bytes: int, at_once: int) -> None:
        """``at_once``: how many answers may be in the making."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self._room = threading.Semaphore(at_once)

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The answer to a key; an error of ``make`` is raised and not remembered."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            try:
                with self._lock:
                    if (answer := self._answers.get(key)) is not None:
                        self._answers.move_to_end(key)
                        return answer
                with self._room:
                    answer = make()
                self._keep(key, answer)
                return answer
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def _keep(self, key: Hashable, answer: bytes) -> None:
        with self._lock:
            self._bytes += len(answer) - len(self._answers.pop(key, b""))  # after an error two can have made it
            self._answers[key] = answer
            while self._bytes > self._most_bytes:
                _, gone = self._answers.popitem(last=False)
                self._bytes -= len(gone)
