"""Networks cut in two give what they give in one piece."""

from __future__ import annotations

import pytest
import torch

from vss_ray.errors import ModelError
from vss_ray.networks import factory, halves


@pytest.mark.parametrize(("name", "width", "num_others"), [("swiftnet", 16, 1), ("erfnet", 8, 0), ("pspnet", 32, 0)])
def test_both_halves_are_the_network(name, width, num_others):
    torch.manual_seed(0)
    network = factory.build(name, "mobilenet_v2", 5, width).eval()
    cut = halves.cut(network)
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        features, *others = cut.front(x)
        assert features.shape == (2, cut.width, 8, 12)
        assert len(others) == num_others
        torch.testing.assert_close(cut.back(features, *others), network(x), rtol=0, atol=0)


def test_other_networks_are_refused():
    with pytest.raises(ModelError, match="swiftnet, erfnet or pspnet; the segmenter has ICNet"):
        halves.cut(factory.build("icnet", "", 5, 32))
