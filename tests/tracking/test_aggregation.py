from __future__ import annotations

import numpy as np

from vss_ray.tracking.aggregation import aggregate, label_map


def pixels(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)[:, None]


def test_alone_nothing_changes():
    own = pixels([0.0, 0.3, 0.9, 1.0])
    assert aggregate(own) is own


def test_objects_and_background_share_a_pixel():
    rng = np.random.default_rng(0)
    merged = aggregate(rng.random((4, 30, 40)).astype(np.float32))
    assert (merged.sum(0) <= 1 + 1e-6).all()
    assert (merged > 0).all()


def test_odds_by_hand():
    """0.8 and 0.5: odds 4 and 1; background 0.2 * 0.5 = 0.1, odds 1/9."""
    merged = aggregate(pixels([0.8], [0.5]))
    total = 4 + 1 + 1 / 9
    assert np.allclose(merged[:, 0, 0], [4 / total, 1 / total])


def test_certainty_is_not_divided_by():
    merged = aggregate(pixels([1.0, 1.0, 0.0], [0.0, 1.0, 0.0]))
    assert np.isfinite(merged).all()
    assert merged[0, 0, 0] > 0.99
    assert np.allclose(merged[:, 0, 1], 0.5, atol=1e-3)
    assert merged[:, 0, 2].max() < 1e-3


def test_the_order_of_objects_does_not_matter():
    own = np.random.default_rng(1).random((3, 5, 6)).astype(np.float32)
    assert np.allclose(aggregate(own)[::-1], aggregate(own[::-1]))


def test_a_label_map_has_ids_where_somebody_has_more_than_half():
    labels = label_map(pixels([0.6, 0.4, 0.1], [0.3, 0.5, 0.8]), np.array([7, 300]))
    assert labels.tolist() == [[7, 0, 300]]
    assert not label_map(np.zeros((0, 2, 3), np.float32), np.array([], int)).any()
