"""Keep freed memory in the process: training asks for the same large blocks at every step."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""


def keep_freed() -> None:
    """Stop glibc from giving large blocks back to the system as soon as they are free.

    The pages of a new block are cleared by the kernel one by one; on two cores that was half of the time of a step.
    Other C libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
