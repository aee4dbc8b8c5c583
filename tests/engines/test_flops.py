from __future__ import annotations

import pytest
import torch
from torch import nn

from vss_ray.engines.flops import gflop
from vss_ray.segmenters import builtin


def test_counted_by_hand():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=8)
    )
    wanted = 2 * 16 * 24 * (8 * 3 * 9 + 8 * 9)
    assert gflop(network, 32, 48) == pytest.approx(wanted / 1e9)
    assert network.training  # left as it was
    assert next(network.parameters()).device == torch.device("cpu")


def test_twice_the_pixels_twice_the_work():
    network, _ = builtin.load_network(builtin.Config())
    assert gflop(network, 544, 960) == pytest.approx(18.9, rel=0.01)
    assert gflop(network, 544, 1920) == pytest.approx(2 * gflop(network, 544, 960), rel=0.01)
