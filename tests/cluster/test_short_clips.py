"""How many clips share a task of Ray where there is no GPU."""

from __future__ import annotations

import pytest

from vss_ray.clips import Clip
from vss_ray.cluster.pipeline import CLIPS_IN_TURN, shared
from vss_ray.cluster.session import Resources

TWO_CORES = Resources(cpus=2, gpus=0)


def clips(count: int, frames: int, height: int, width: int) -> list[Clip]:
    return [Clip.of_pictures(f"{number}", frames, 25.0, height, width) for number in range(count)]


@pytest.mark.parametrize(
    ("planned", "together"),
    [
        (clips(2000, 4, 48, 64), CLIPS_IN_TURN),  # one by one Ray Data could not hand them on fast enough
        (clips(2000, 250, 360, 480), 1),
        (clips(2000, 250, 96, 128), 2),
        (clips(8, 4, 48, 64), 1),  # too few for all cores
    ],
)
def test_short_clips_share_a_task_and_long_ones_do_not(planned: list[Clip], together: int) -> None:
    assert shared(planned, TWO_CORES, is_coarse=False) == together


def test_in_a_coarse_pass_all_do() -> None:
    assert shared(clips(2000, 250, 1080, 1920), TWO_CORES, is_coarse=True) == CLIPS_IN_TURN
