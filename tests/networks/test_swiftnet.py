from __future__ import annotations

import pytest
import torch
from torch import nn

from vss_ray.networks import factory
from vss_ray.networks.swiftnet import SpatialPyramid


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return factory.swiftnet("mobilenet_v2", 7, width=32)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (128, 32), (352, 480)])
def test_logits_at_a_quarter(network, height, width):
    with torch.inference_mode():
        logits = network.eval()(torch.zeros(1, 3, height, width))
    assert logits.shape == (1, 7, height // 4, width // 4)


def test_the_auxiliary_head_scores_at_an_eighth(network):
    logits, coarse = network.train().forward_with_auxiliary(torch.rand(2, 3, 64, 96))
    assert logits.shape == (2, 7, 16, 24)
    assert coarse.shape == (2, 7, 8, 12)
    (logits.sum() + coarse.sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_all_levels_of_the_decoder(network):
    with torch.inference_mode():
        levels = network.eval().decode(network.encoder(torch.zeros(1, 3, 64, 96)))
    assert [tuple(level.shape[1:]) for level in levels] == [(32, 2, 3), (32, 4, 6), (32, 8, 12), (32, 16, 24)]


def test_the_pyramid_never_has_more_cells_than_pixels():
    with torch.inference_mode():
        assert SpatialPyramid(4, 8).eval()(torch.rand(1, 4, 2, 3)).shape == (1, 8, 2, 3)
