from __future__ import annotations

from typing import Any

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


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "resnet"])
def test_shallow_and_deep_features_joined_are_the_network(encoder):
    torch.manual_seed(0)
    network = factory.swiftnet(encoder, 7, width=32).eval()
    with torch.inference_mode():
        x = torch.rand(2, 3, 64, 96)
        shallow = network.shallow(x)
        deep = network.deep(shallow)
        assert deep.shape == (2, 32, 4, 6)
        torch.testing.assert_close(network.join(shallow, deep), network(x))
        assert not torch.equal(network.join(shallow, torch.zeros_like(deep)), network(x))


def test_what_joins_is_named(network):
    """A refiner may have exactly these parameters of its own."""
    named = {name for name, _ in network.named_parameters() if name.startswith(network.joining)}
    network.eval().zero_grad()
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        shallow = network.shallow(x)
        deep = network.deep(shallow)
    network.join(shallow, deep).sum().backward()
    assert {name for name, parameter in network.named_parameters() if parameter.grad is not None} == named


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "resnet"])
def test_the_stages_of_an_encoder_are_its_pyramid(encoder):
    torch.manual_seed(0)
    built: Any = factory.swiftnet(encoder, 7, width=32).encoder.eval()
    with torch.inference_mode():
        x = rest = torch.rand(2, 3, 64, 96)
        for stage, wanted, channels in zip(built.stages, built(x), built.channels, strict=True):
            rest = stage(rest)
            assert rest.shape[1] == channels
            torch.testing.assert_close(rest, wanted)
        early = built.early(x)
    assert early.shape == (2, built.early_channels, 64 // built.early_stride, 96 // built.early_stride)
