"""How much of this process's core time went into what no arrangement can save: decoding, networks, encoding.

What a stage takes beyond that is what this package adds to it. One counter for the process, as CPU time is the
process's: the thread that reads it sees the work of decoders' and networks' own threads too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_spent = 0.0


@contextmanager
def at_the_floor() -> Iterator[None]:
    """Count what is done inside; a microsecond each time, so a picture at a time, not a pixel."""
    global _spent
    began = time.process_time()
    try:
        yield
    finally:
        _spent += time.process_time() - began


def floor_seconds() -> float:
    """Core seconds so far; take the difference of two looks."""
    return _spent
