"""Documents of the benchmark made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vss_ray.cluster.benchmark.document import Document, Entry
from vss_ray.cluster.benchmark.figures import Figure, Result

MACHINE = {
    "date": "2026-01-31",
    "processor": "Some CPU",
    "cores": 2,
    "instructions": ["AVX512-BF16"],
    "memory_gb": 16.0,
    "gpu": "",
    "system": "Linux 6",
    "python": "3.11.7",
    "versions": {"vss-ray": "0.1", "ray": "2.60"},
}


@pytest.fixture
def made() -> Callable[..., Document]:
    """A document of one or two parts, from the values of two of its figures."""

    def make(
        ratio: tuple[float, ...] = (31.0, 33.0, 32.0),
        speed: tuple[float, ...] = (100.0, 101.0, 99.0),
        *,
        processor: str = "Some CPU",
        smoke: bool = False,
    ) -> Document:
        case = "480x360, default: evs, every 20"
        figures = [
            Figure(case="480x360, default: user", name="speed", unit="frames/s", values=(3.0, 3.1)),
            Figure(case=case, name="speed", unit="frames/s", values=speed),
            Figure(case=case, name="over user", unit="x", values=ratio, goal=30.0),
        ]
        machine = {**MACHINE, "processor": processor}
        entry = Entry(Result(figures, ["evs ran on all."]), machine, ["vss benchmark sides"], 61.5, smoke)
        cost = Figure(case="160x120", name="slowest of fastest", unit="share", values=(0.85,), goal=0.9)
        growth = Entry(Result([cost]), machine, ["vss benchmark growth"], 100.0, smoke)
        return Document({"growth": growth, "sides": entry})

    return make
