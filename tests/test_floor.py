"""What is counted as work that nothing can save."""

from __future__ import annotations

import time
from contextlib import suppress

from vss_ray.floor import at_the_floor, floor_seconds


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_only_what_is_done_inside_counts():
    before = floor_seconds()
    burn(0.05)
    assert floor_seconds() == before
    with at_the_floor():
        burn(0.05)
    assert 0.05 <= floor_seconds() - before < 0.1


def test_what_fails_inside_counts_too():
    before = floor_seconds()
    with suppress(KeyError), at_the_floor():
        burn(0.01)
        raise KeyError
    assert floor_seconds() - before >= 0.01
