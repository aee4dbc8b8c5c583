"""How search scales: write the tables of a made-up archive where there are none, and time some questions over it.

``python jobs/synthetic_index.py OUT --hours 1000``
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

from vss_ray.index.build import write_tables
from vss_ray.index.search import search
from vss_ray.index.synthetic import archive
from vss_ray.index.tables import PATHS
from vss_ray.labels.taxonomy import load
from vss_ray.storage.location import Location

QUESTIONS = (
    "person > 2% and bicyclist > 0.5% for 2s",
    'person > 2% and bicyclist > 0.5% for 2s in "x*"',
    "car > 10% for 5s",
    'car > 10% for 5s in "x*"',
    "car > 10% for 5s gap 1s",
    "person > 1% in left half for 1s",
    "count(car) >= 5 for 2s",
    "not road for 2s",
    "car + bus + truck > 30%",
    "bicyclist enters",
    "changes in car > 20%",
)
PAGE = 100
"""Hits that a person looks at."""


def main() -> None:
    """Write and ask; every number on a line of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--hours", type=float, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--times", type=int, default=3, help="how often every question is asked")
    arguments = parser.parse_args()
    location = Location.open(arguments.out)
    if not location.exists(PATHS["frames"]):
        began = time.perf_counter()
        counts = write_tables(location, archive(arguments.hours, arguments.seed))
        print(f"{counts} in {time.perf_counter() - began:.0f} s, {_peak_memory():.1f} GB of memory at most")
    for path in PATHS.values():
        print(f"{path}: {location.size(path) / 1e6:,.1f} MB")
    for question in QUESTIONS:
        for limit in (None, PAGE):
            ask(location, question, limit, arguments.times)
    print(f"{_peak_memory():.1f} GB of memory at most")


def ask(location: Location, question: str, limit: int | None, times: int) -> None:
    """Print how long the first answer took and the median of all."""
    seconds, hits = [], []
    for _ in range(times):
        began = time.perf_counter()
        hits = search(location, question, load("cityscapes"), limit)
        seconds.append(time.perf_counter() - began)
    which = "all" if limit is None else f"the first {limit}"
    print(f"{question} ({which}): {len(hits)} hits, {seconds[0]:.2f} s, median {statistics.median(seconds):.2f} s")


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
