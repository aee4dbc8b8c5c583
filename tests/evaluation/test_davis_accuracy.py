"""What the weights of the package reach on real sequences, beside what needs no network. Minutes."""

from __future__ import annotations

import pytest

from vss_ray import datasets
from vss_ray.engines import Execution
from vss_ray.evaluation.objects import follow
from vss_ray.evaluation.trackers import variant
from vss_ray.metrics.objects import davis
from vss_ray.tracking import network


@pytest.mark.slow
def test_objects_are_followed_on_davis(test_data):
    folder = test_data / "davis"
    if not folder.is_dir():
        pytest.skip(f"no DAVIS in {folder}")
    ready = network.build(network.WEIGHTS, Execution(), threads=1, device="cpu")
    reached = {}
    for name in ("rts", "flow"):
        outcomes = [
            follow(sequence, variant(name), ready, last=False)
            for sequence in datasets.load_tracked("davis", folder, "2016/val")
        ]
        reached[name] = davis([score for outcome in outcomes for score in outcome.scores.values()])["j_and_f"]
    assert reached["rts"] >= 0.78
    assert reached["rts"] >= reached["flow"] + 0.15
