from __future__ import annotations

import resource

import numpy as np

from vss_ray.training import memory

BLOCK = 40_000_000


def faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def test_a_block_that_was_freed_is_used_again():
    memory.keep_freed()
    np.ones(BLOCK, np.uint8)
    before = faults()
    for _ in range(5):
        np.ones(BLOCK, np.uint8)
    assert faults() - before < BLOCK // 4096
