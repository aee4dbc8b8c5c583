"""What every segmentation network promises, whatever it is called."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vss_ray.errors import ModelError
from vss_ray.networks import factory

STRIDES = {"swiftnet": 4, "icnet": 4, "erfnet": 1, "pspnet": 8, "bisenet": 8}
NARROW = {"erfnet": 8, "pspnet": 64}


def build(name, num_classes=5, width=None) -> Any:
    torch.manual_seed(0)
    return factory.build(name, "mobilenet_v2", num_classes, width or NARROW.get(name, 32))


def test_knows_the_networks():
    assert set(STRIDES) <= set(factory.networks())
    assert not set(factory.networks()) & set(factory.encoders())


@pytest.mark.parametrize("name", STRIDES)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 160), (96, 64)])
def test_logits_at_its_stride(name, height, width):
    with torch.inference_mode():
        logits = build(name).eval()(torch.rand(1, 3, height, width))
    assert logits.shape == (1, 5, height // STRIDES[name], width // STRIDES[name])
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", factory.networks())
def test_says_what_its_makers_need_to_know(name):
    network = build(name)
    state = network.state_dict()
    assert len(state[network.classifier]) == 5
    assert all(any(key.startswith(prefix) for key in state) for prefix in network.training_only)
    assert not network.classifier.startswith(network.training_only)
    assert len(network.mean) == len(network.std) == 3
    assert network.width == NARROW.get(name, 32)


@pytest.mark.parametrize("name", factory.networks())
def test_all_of_it_learns(name):
    network = build(name).train()
    logits, *others = network.forward_with_auxiliary(torch.rand(2, 3, 64, 96))
    assert logits.shape[:2] == (2, 5)
    assert len(others) == len(network.auxiliary_weights)
    assert all(64 // other.shape[2] * other.shape[2] == 64 for other in others)
    sum(part.square().sum() for part in (logits, *others)).backward()
    assert not [key for key, parameter in network.named_parameters() if parameter.grad is None]


@pytest.mark.parametrize("name", factory.networks())
def test_training_only_is_for_training_only(name):
    network = build(name).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before = network(x)
        torch.testing.assert_close(network.forward_with_auxiliary(x)[0], before)
        for key, parameter in network.named_parameters():
            if key.startswith(network.training_only):
                parameter.zero_()
        assert torch.equal(network(x), before)


@pytest.mark.parametrize("name", factory.networks())
def test_pictures_of_a_batch_do_not_meet(name):
    network = build(name).eval()
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(x)[1:], network(x[1:]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["swiftnet", "icnet"])
def test_the_parts_make_the_whole(name):
    network = build(name).eval()
    x = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        shallow = network.shallow(x)
        deep = network.deep(shallow)
        assert torch.equal(network.join(shallow, deep), network(x))
    assert deep.shape == (1, 32, 4, 6)


@pytest.mark.parametrize("width", [0, 4, 20, -8])
@pytest.mark.parametrize("name", ["swiftnet", "erfnet"])
def test_odd_widths_are_refused(name, width):
    with pytest.raises(ModelError, match=rf"{name} of width {width}: wanted a multiple of 8"):
        factory.build(name, "resnet", 5, width)


def test_an_unknown_network_is_refused():
    with pytest.raises(ModelError, match=r"no network 'unet' in vss_ray.networks; there is bisenet, erfnet, icnet"):
        factory.build("unet", "resnet", 5)
