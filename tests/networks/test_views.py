"""A network on several views of a picture: the mean of their probabilities, whatever side it is seen from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vss_ray.networks.views import Views


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, 4, 2), nn.ReLU(), nn.Conv2d(8, 5, 3, padding=1)).eval()


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    torch.manual_seed(1)
    return F.interpolate(torch.randn(2, 3, 8, 12), (64, 96), mode="bilinear")


def probabilities(network: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(x).softmax(1)


def test_one_view_is_the_network_itself(network, pictures):
    wanted = probabilities(network, pictures)
    torch.testing.assert_close(probabilities(Views(network, (1.0,), mirror=False), pictures), wanted)


def test_the_mean_is_that_of_the_probabilities(network, pictures):
    views = Views(network, (1.0, 1.5, 0.5), mirror=True)
    wanted = []
    for size in ((64, 96), (96, 128), (32, 64)):  # sides are brought to multiples of 32
        view = F.interpolate(pictures, size, mode="bilinear", align_corners=False)
        both = [probabilities(network, view), probabilities(network, view.flip(3)).flip(3)]
        wanted += [F.interpolate(one, (16, 24), mode="bilinear", align_corners=False) for one in both]
    found = probabilities(views, pictures)
    assert found.shape == (2, 5, 16, 24)
    torch.testing.assert_close(found, torch.stack(wanted).mean(0), atol=1e-5, rtol=0)


def test_a_mirrored_picture_has_mirrored_scores(network, pictures):
    views = Views(network, (1.0, 1.5), mirror=True)
    mirrored = probabilities(views, pictures.flip(3)).flip(3)
    torch.testing.assert_close(mirrored, probabilities(views, pictures), atol=1e-6, rtol=0)


def test_the_grid_is_the_networks_own_even_if_no_view_has_its_size(network, pictures):
    assert probabilities(Views(network, (1.5, 2.0), mirror=False), pictures).shape == (2, 5, 16, 24)


def test_certainty_stays_finite(pictures):
    class Certain(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([1000 * x.mean(1), -1000 * x.mean(1)], 1)

    logits = Views(Certain(), (1.0,), mirror=True)(pictures)
    assert logits.isfinite().all()
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(2, 64, 96), atol=1e-5, rtol=0)
