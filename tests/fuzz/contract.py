"""What every reader promises of any bytes: a value or a refusal in one sentence, soon, and with little memory."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vss_ray.errors import VssError

SECONDS = 10.0
"""Of the processor, for one input: what other processes take does not count. The slowest takes a hundredth of it."""
HANGS = 3 * SECONDS
"""After so long it will not end."""
MEGABYTES = 1024
"""By which one input may raise the peak of the process: a map of as many pixels as may be, 16-bit, and its copy."""
LONGEST_MESSAGE = 4000
"""Characters. A name of the user's may be long, and the message names it."""


@dataclass(frozen=True)
class Target:
    """One reader."""

    name: str
    read: Callable[[bytes], object]
    """Raises ``AssertionError`` where a value is not of the shape that is promised."""
    seeds: Callable[[], Sequence[bytes]]
    """What it reads without complaint."""
    refusals: tuple[type[Exception], ...] = ()
    """What it may raise beside ``VssError``, exactly."""
    words: tuple[bytes, ...] = ()
    """Pieces that its language is made of."""
    lines: int = 1
    """Of a message: a query is shown with a caret below."""
    is_guided: bool = False
    """Whether coverage of Python code says something about it."""


def violation(target: Target, data: bytes) -> str | None:
    """How a reader breaks the promise on some bytes; None: it does not."""
    peak, began = _peak_megabytes(), time.process_time()
    try:
        target.read(data)
        problem = None
    except Exception as error:
        is_refusal = isinstance(error, VssError) or type(error) in target.refusals
        problem = _complaint(str(error), target.lines) if is_refusal else "is no refusal"
        problem = problem and f"{type(error).__name__} {problem}: {str(error)[:300]!r} at {_place(error)}"
    seconds, megabytes = time.process_time() - began, _peak_megabytes() - peak
    if seconds > SECONDS:
        return f"took {seconds:.1f} s"
    return problem or (f"took {megabytes:.0f} MB" if megabytes > MEGABYTES else None)


def _complaint(message: str, lines: int) -> str | None:
    first, *rest = message.split("\n")
    if not first.strip() or len(rest) not in (0, lines - 1):
        return f"has a message of {len(rest) + 1} lines"
    if not all(line.isprintable() for line in (first, *rest)):
        return "has a message that cannot be printed"
    return f"has a message of {len(message)} characters" if len(message) > LONGEST_MESSAGE else None


def _place(error: Exception) -> str:
    """The last line of this project that the error went through; with the kind of error it tells bugs apart."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "vss_ray" in Path(frame.filename).parts] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}"


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
