"""A mask taken apart: which piece is the object, who is somebody else, and who is remembered."""

from __future__ import annotations

import numpy as np
import pytest

from vss_ray.tracking.pieces import Config, remembered, split

CONFIG = Config()
HERE, THERE = (50.0, 60.0), (50.0, 160.0)
NOBODY = np.zeros((0, 2))


def mask(*squares: tuple[float, float], value: float = 0.9) -> np.ndarray:
    drawn = np.zeros((100, 220), np.float32)
    for y, x in squares:
        drawn[int(y) - 10 : int(y) + 10, int(x) - 10 : int(x) + 10] = value
    return drawn


def parts(drawn, *, others=NOBODY, lost=0, score=0.8, likeness=lambda piece: 1.0, config=CONFIG):
    return split(drawn, lambda p: np.full(len(p), score), likeness, HERE, 20.0, others, lost, 0.3, config)


def test_the_piece_where_it_was_is_the_object_and_the_other_is_somebody():
    found = parts(mask(HERE, THERE))
    assert np.array_equal(found.mask, mask(HERE))
    assert found.center == pytest.approx((49.5, 59.5))
    assert found.others.tolist() == [[49.5, 159.5]]
    assert found.new.tolist() == [True]


def test_pieces_close_to_each_other_are_one_object():
    """Something thin in front of it cuts it in two."""
    cut = mask(HERE)
    cut[:, 58:62] = 0
    assert np.array_equal(parts(cut).mask, cut)


def test_mist_far_from_all_pieces_goes():
    drawn = mask(HERE)
    drawn[80:, 200:] = 0.4
    assert np.array_equal(parts(drawn).mask, mask(HERE))


def test_what_is_faint_beside_somebody_else_is_theirs():
    drawn = mask(HERE, (50, 90))
    drawn[40:60, 72:78] = 0.4  # nearer to the other, but not far from the object
    found = parts(drawn)
    assert not found.mask[:, 76:].any()
    assert found.mask[50, 60] > 0.5


def test_who_is_too_far_away_is_not_the_object():
    found = parts(mask(THERE))
    assert found.center is None
    assert not found.mask.any()
    assert len(found.others) == 1
    assert found.new.tolist() == [True]
    assert parts(mask(THERE), score=0.1).new.tolist() == [False]


def test_the_longer_it_is_lost_the_farther_it_may_be():
    assert parts(mask(THERE), lost=100).center == pytest.approx((49.5, 159.5))


def test_somebody_who_was_seen_before_is_not_the_object_that_is_lost():
    known = np.array([[50.0, 155.0]])
    found = parts(mask(THERE), lost=100, others=known)
    assert found.center is None
    found = parts(mask(THERE, (50.0, 100.0)), lost=100, others=known)
    assert found.center == pytest.approx((49.5, 99.5))


def test_one_who_is_known_is_one_piece_only():
    """Of two pieces near somebody who is known, the nearer one is that; the other one is free."""
    found = parts(mask((50.0, 150.0), (50.0, 185.0)), lost=100, others=np.array([[50.0, 152.0]]))
    assert found.center == pytest.approx((49.5, 184.5))


def test_a_lost_object_is_who_looks_like_it():
    def looks(piece):
        return 0.1 if piece[50, 60] else 0.9

    found = parts(mask(HERE, (50.0, 110.0)), lost=30, likeness=looks)
    assert found.center == pytest.approx((49.5, 109.5))
    assert found.likeness == 0.9


def test_nothing_is_taken_apart_without():
    drawn = mask(HERE, THERE)
    assert parts(drawn, config=Config(enabled=False)).mask is drawn
    empty = mask()
    assert parts(empty).mask is empty


def test_memory_moves_ages_and_forgets():
    before = ((50.0, 60.0, 0), (10.0, 10.0, CONFIG.memory - 1), (90.0, 90.0, CONFIG.memory))
    seen = np.array([[50.0, 65.0], [80.0, 20.0], [30.0, 200.0]])
    after = remembered(before, seen, np.array([False, True, False]), 20.0, CONFIG)
    assert after == ((50.0, 65.0, 0), (80.0, 20.0, 0), (10.0, 10.0, CONFIG.memory))
