"""DCFM's definition: unit features, normalized before half of them is taken, and a start that loses nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.errors import ModelError
from vss_ray.networks import factory
from vss_ray.networks.dcfm import Dcfm, Fusion, decoded, independent, unit, used_channels

ENCODERS = ["mobilenet_v2", "resnet"]


def model(encoder: str = "mobilenet_v2", head_layers: int = 0) -> Dcfm:
    torch.manual_seed(0)
    return Dcfm(factory.swiftnet(encoder, 5, width=16), head_layers)


def pictures(count: int = 2) -> Tensor:
    torch.manual_seed(1)
    return F.interpolate(torch.randn(count, 3, 8, 12), (64, 96), mode="bilinear")


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head_layers", [0, 1])
def test_logits_at_a_quarter(encoder, head_layers):
    assert model(encoder, head_layers).eval()(pictures()).shape == (2, 5, 16, 24)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_half_of_the_early_channels_of_a_unit_vector(encoder):
    network = model(encoder).encoder.eval()
    own = independent(network, pictures())
    assert own.shape == (2, used_channels(network), 16, 24)
    early = network.encoder.early(pictures())  # type: ignore[operator]
    whole = F.pixel_unshuffle(early, 2) if early.shape[-1] == 48 else early
    torch.testing.assert_close(own * whole.norm(dim=1, keepdim=True), whole[:, : own.shape[1]])
    assert (own.norm(dim=1) < 1).all()


def test_the_channels_of_the_paper():
    """64 early channels of either, of which the first 32 are used."""
    assert [used_channels(model(encoder).encoder) for encoder in ENCODERS] == [32, 32]


def test_fused_features_are_unit_vectors_or_nothing():
    fusion = Fusion(16, 8, 5).eval()
    common, own = torch.randn(1, 16, 6, 6), torch.randn(1, 8, 6, 6)
    lengths = fusion.fuse(common, own).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    nn.init.constant_(fusion.normalization.bias, -100.0)
    assert (fusion.fuse(common, own) == 0).all()


def test_it_starts_from_the_networks_own_answers():
    network = model()
    with torch.no_grad():
        network.train()(pictures())  # the head is kaiming's, the features are of any size
        network.eval().begin(pictures())
        deep = decoded(network.encoder, pictures())
        fused = network.fusion.fuse(unit(deep), independent(network.encoder, pictures()))
        torch.testing.assert_close(fused, unit(deep), atol=1e-4, rtol=1e-4)
        expected = F.conv2d(unit(deep), network.encoder.head.weight) * deep.norm(dim=1).mean()
        torch.testing.assert_close(network(pictures()), expected, atol=1e-3, rtol=1e-3)


def test_statistics_of_the_pretrained_part_stay():
    network = model()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items() if "running" in name}
    network.train()(pictures())
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, network.state_dict()[name])}
    assert moved == {"fusion.normalization.running_mean", "fusion.normalization.running_var"}


def test_only_a_swiftnet_will_do():
    with pytest.raises(ModelError, match="dcfm builds on a SwiftNet, not on Conv2d"):
        Dcfm(nn.Conv2d(3, 5, 1))
