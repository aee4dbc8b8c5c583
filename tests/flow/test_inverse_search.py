"""Compiled code gives the same bytes whether it was compiled on the spot or comes from the cache."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np
from vss_ray.flow import inverse_search
from vss_ray.ops.warp import blend_warped, warp
from vss_ray.ops.upsample import upsample_labels

rng = np.random.default_rng(0)
here, there = (rng.integers(0, 256, (90, 120)).astype(np.uint8) for _ in range(2))
flow = inverse_search.build(inverse_search.Config())
found = flow(here, there)
again = flow(here, there, found)
scores = rng.random((90, 120, 5)).astype(np.float32)
mixed = blend_warped(scores, found, scores, again, rng.random((90, 120)).astype(np.float32))
labels = upsample_labels(warp(mixed, found), 300, 400)
print(hashlib.sha256(b"".join(a.tobytes() for a in (found, again, mixed, labels))).hexdigest())
"""


def test_cold_and_cached_code_give_the_same_bytes(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    answers = set()
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout)
        # What was cached first, and in which process, must not matter either: half of the cache is lost.
        for path in sorted(tmp_path.rglob("*.nbc"))[::2]:
            path.unlink()
    assert len(answers) == 1
