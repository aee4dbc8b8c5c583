"""The yardstick does the same job as the project, or the comparison means nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rich.console import Console

from vss_ray import config
from vss_ray.cluster.benchmark import naive
from vss_ray.cluster.segment import segment
from vss_ray.masks import ffv1

SMALL = ["segmenter.short_side=64", "segmenter.engine=torch", "segmenter.precision=fp32"]


@pytest.mark.slow
@pytest.mark.ray
def test_what_a_user_would_write_gives_the_same_labels(local_ray, archive, tmp_path):
    source = archive / "day" / "b.mp4"
    costs = naive.run([str(source)], tmp_path / "user", config.load("per_frame", SMALL), cpus=1)
    assert costs["frames"] == 30
    assert costs["seconds"] > 0
    point = config.load("per_frame", SMALL)
    segment(str(source), str(tmp_path / "out"), point, limit=None, address=None, console=Console(quiet=True))
    (mask,) = (tmp_path / "out" / "masks").rglob("*.mkv")
    for i, labels in enumerate(ffv1.build(ffv1.Config()).decode(mask)):
        theirs = cv2.imread(str(tmp_path / "user" / f"b_{i:06d}.png"), cv2.IMREAD_GRAYSCALE)
        assert np.mean(labels == theirs) > 0.9
