from __future__ import annotations

import numpy as np
import pytest

from vss_ray.tracking.gates import Config, Verdict, judge

CONFIG = Config()
GOOD = np.ones((20, 20), np.float32)
EMPTY = np.zeros((20, 20), np.float32)
TINY = np.eye(20, dtype=np.float32)


@pytest.mark.parametrize(
    ("case", "score", "mask", "verdict"),
    [
        ("a", 0.8, GOOD, Verdict(True, True, True, "mask")),
        ("c, empty", 0.8, EMPTY, Verdict(True, False, True, "score")),
        ("c, tiny", 0.8, TINY, Verdict(True, True, True, "score")),
        ("d", 0.2, EMPTY, Verdict(False, False, False, "nothing")),
        ("d with a mask", 0.2, GOOD, Verdict(False, False, False, "nothing")),
    ],
)
def test_cases(case, score, mask, verdict):
    assert judge(score, mask, 0, CONFIG) == verdict


def test_who_was_lost_has_to_be_surer():
    score = (CONFIG.found + CONFIG.found_again) / 2
    assert judge(score, GOOD, CONFIG.patience, CONFIG).found
    assert not judge(score, GOOD, CONFIG.patience + 1, CONFIG).found
    assert judge(CONFIG.found_again, GOOD, CONFIG.patience + 1, CONFIG).found


def test_without_gates_a_mask_is_enough():
    off = Config(enabled=False)
    assert judge(-1.0, TINY, 100, off) == Verdict(True, True, True, "mask")
    assert judge(1.0, EMPTY, 0, off) == Verdict(False, False, False, "nothing")
