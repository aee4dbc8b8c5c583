from __future__ import annotations

import numpy as np
import pytest

from vss_ray.tracking.target import FAINT, Config, begin, moments

CONFIG = Config()


def rectangle(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((120, 200), np.float32)
    mask[top : top + height, left : left + width] = 1
    return mask


def test_moments_of_a_rectangle():
    """Four standard deviations of a filled rectangle are 4 / sqrt(12) of its sides."""
    center, size = moments(rectangle(20, 30, 40, 60))
    assert center == (40, 60)
    assert size == pytest.approx((4 / 12**0.5 * 40, 4 / 12**0.5 * 60), rel=1e-3)


def test_a_faint_mist_moves_nothing():
    mask = rectangle(20, 30, 40, 60)
    mask[mask == 0] = FAINT - 0.01
    assert moments(mask) == moments(rectangle(20, 30, 40, 60))


def test_a_pixel_has_a_size():
    center, size = moments(rectangle(7, 9, 1, 1) > 0)
    assert center == (7.5, 9.5)
    assert size == pytest.approx((4 / 12**0.5,) * 2)


def test_nothing_has_no_center():
    with pytest.raises(ValueError, match="an empty mask has no center"):
        begin(np.zeros((5, 5), bool))


def test_the_size_follows_within_limits_and_keeps_its_proportions():
    first = begin(rectangle(20, 30, 20, 30))
    grown = first.seen(rectangle(10, 20, 22, 33), CONFIG)
    assert grown.scale == pytest.approx(1.1, rel=1e-3)
    leapt = first.seen(rectangle(0, 0, 80, 120), CONFIG)
    assert leapt.scale == 1.2
    assert first.seen(rectangle(0, 0, 4, 6), CONFIG).scale == 0.8
    flat = first.seen(rectangle(10, 20, 15, 40), CONFIG)
    assert flat.size[0] / flat.size[1] == pytest.approx(first.size[0] / first.size[1])


def test_lost_it_stays_where_it_was_and_is_thought_to_be_as_large_as_it_has_been():
    state = begin(rectangle(40, 60, 20, 20))
    for side in (22, 26, 30, 26, 22):
        state = state.seen(rectangle(40, 60, side, side), CONFIG)
    lost = [state := state.missed() for _ in range(40)]
    assert {each.center for each in lost} == {lost[0].center}
    scales = [each.scale for each in lost]
    assert scales[0] == pytest.approx(1.2, rel=0.02)  # the mean of the last two that are no smaller
    assert scales[4] == pytest.approx(np.mean([1.1, 1.3, 1.5, 1.3, 1.1]), rel=0.02)
    areas = [each.search_area(CONFIG) for each in lost]
    assert np.all(np.diff(areas[10:]) > 0)
    found = lost[-1].seen(rectangle(40, 60, 22, 22), CONFIG)
    assert (found.lost, found.scale) == (0, pytest.approx(1.1, rel=0.02))


def test_as_published_the_search_does_not_grow_by_itself():
    state = begin(rectangle(40, 60, 20, 20))
    config = Config(lost_growth=1.0)
    assert state.missed().missed().search_area(config) == state.search_area(config)


def test_a_peak_moves_it_and_keeps_its_size():
    state = begin(rectangle(40, 60, 20, 20)).missed().peaked((11.0, 12.0))
    assert (state.center, state.lost, state.scale) == ((11.0, 12.0), 0, 1.0)
