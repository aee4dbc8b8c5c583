"""The clock starts when the network is there; what was done before counts with the time that all cores take for it."""

from __future__ import annotations

import pytest

from vss_ray.cluster.benchmark.watch import Worked, in_flight, run_seconds


def _clip(began: float, prepared: float, ended: float, loaded: float = 0.0, cpu: float = 1.0) -> Worked:
    return Worked(100, began, prepared, cpu, loaded, ended)


def test_loading_before_the_first_clip_changes_nothing():
    assert run_seconds([_clip(1.0, 2.0, 5.0), _clip(2.0, 3.0, 7.0)], cores=2) == 6.0


def test_clips_decoded_while_networks_load_count_with_their_work():
    # Loaded at 4: the first clip was prepared by then, the second half; 1.5 core seconds are 0.75 s of two cores.
    clips = [_clip(1.0, 2.0, 8.0, 4.0), _clip(3.0, 5.0, 9.0, 4.0), _clip(5.0, 6.0, 10.0, 4.0)]
    assert run_seconds(clips, cores=2) == pytest.approx(6.0 + 0.75)


def test_frames_in_flight_are_those_of_clips_that_overlap():
    assert in_flight([_clip(0, 1, 4), _clip(1, 2, 3), _clip(3.5, 4, 6), _clip(4, 5, 6)]) == 200
    assert in_flight([_clip(0, 1, 2), _clip(2, 3, 4)]) == 100
