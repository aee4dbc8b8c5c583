import io
import time

import pytest
from rich.console import Console

from vss_ray.cluster.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "told"), [(8.4, "8 s"), (200, "3 min 20 s"), (7500, "2 h 05 min"), (0, "0 s"), (59.6, "1 min 00 s")]
)
def test_clock(seconds, told):
    assert clock(seconds) == told


def test_the_line_says_how_fast_and_how_long():
    console = Console(file=io.StringIO(), width=120)
    progress = Progress(console, total_seconds=20)
    progress.add(5, since=time.time() - 10)  # too early to say anything
    progress.add(15, since=time.time() - 10)
    assert console.file.getvalue().strip() == "20 of 20 s of video, 2.0 s a second, 0 s left"
