from __future__ import annotations

import pytest
import torch

from vss_ray.errors import ModelError
from vss_ray.networks import factory


def test_knows_the_encoders():
    assert {"mobilenet_v2", "resnet"} <= set(factory.encoders())
    assert "swiftnet" not in factory.encoders()


def test_names_what_there_is():
    with pytest.raises(ModelError, match=r"no encoder 'vgg' in vss_ray.networks; there is .*mobilenet_v2, .*resnet"):
        factory.swiftnet("vgg", 11)


@pytest.mark.parametrize("encoder", factory.encoders())
def test_encoders_give_pyramids(encoder):
    network = factory.swiftnet(encoder, 5, width=32).encoder.eval()
    with torch.inference_mode():
        features = network(torch.zeros(1, 3, 64, 96))
    sizes = [(64 // stride, 96 // stride) for stride in (4, 8, 16, 32)]
    assert [tuple(f.shape) for f in features] == [(1, c, *s) for c, s in zip(network.channels, sizes, strict=True)]
