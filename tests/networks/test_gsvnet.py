"""GSVNet against its definition: warp, shifts, kernels, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from vss_ray.networks import factory, gsvnet
from vss_ray.networks.gsvnet import GsvNet
from vss_ray.ops import warp as reference


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def smooth(*shape: int) -> torch.Tensor:
    """Something with large regions."""
    *first, height, width = shape
    coarse = torch.randn(*first, max(height // 6, 2), max(width // 6, 2)) * 5
    return F.interpolate(coarse, (height, width), mode="bilinear")


def test_learning_begins_with_copying():
    network = GsvNet(7).eval()
    logits, picture = smooth(2, 7, 40, 56), torch.randn(2, 3, 20, 28)
    with torch.inference_mode():
        carried = network(logits, picture, picture)
        assert network.flow(picture, torch.randn(2, 3, 20, 28)).abs().max() == 0
    assert (carried.argmax(1) == logits.argmax(1)).float().mean() > 0.96


@pytest.mark.parametrize("zero_plane", [False, True])
def test_kernels_are_weights(zero_plane):
    guidance = GsvNet(4, width=8, zero_plane=zero_plane).guidance
    kernels, intra = guidance(torch.randn(2, 3, 8, 12), torch.rand(2, 2, 8, 12))
    assert kernels.shape == (2, 11 if zero_plane else 10, 8, 12)
    assert intra.shape == (2, 4, 8, 12)
    assert (kernels > 0).all()
    torch.testing.assert_close(kernels.sum(1), torch.ones(2, 8, 12))


@pytest.mark.parametrize("zero_plane", [False, True])
def test_mixing_is_the_sum_over_the_stack_of_planes(zero_plane):
    logits, intra = torch.randn(2, 5, 6, 9), torch.randn(2, 5, 6, 9)
    kernels = torch.rand(2, 11 if zero_plane else 10, 6, 9)
    filters = torch.zeros(8, 1, 3, 3)
    for tap, place in enumerate([0, 1, 2, 3, 5, 6, 7, 8]):
        filters[tap, 0, place // 3, place % 3] = 1
    bordered = F.pad(logits, (1, 1, 1, 1), mode="replicate")
    shifted = F.conv2d(bordered.flatten(0, 1)[:, None], filters).unflatten(0, (2, 5)).transpose(1, 2)
    zeros = [torch.zeros(2, 1, 5, 6, 9)] if zero_plane else []
    planes = torch.cat([logits[:, None], shifted, *zeros, intra[:, None]], 1)  # (B, planes, C, h, w)
    torch.testing.assert_close(gsvnet.mix(logits, kernels, intra), (kernels[:, :, None] * planes).sum(1))


def test_a_finer_grid_of_scores_takes_the_kernels_between():
    logits, intra = smooth(1, 3, 8, 12), torch.zeros(1, 3, 4, 6)
    kernels = torch.zeros(1, 10, 4, 6)
    kernels[:, 0] = 1
    torch.testing.assert_close(gsvnet.mix(logits, kernels, intra), logits)
    kernels[:, 0], kernels[:, 5] = 0, 1  # the right neighbor
    moved = gsvnet.mix(logits, kernels, intra)
    torch.testing.assert_close(moved[..., :-1], logits[..., 1:])
    torch.testing.assert_close(moved[..., -1], logits[..., -1])


def test_warping_is_the_packages_warping():
    source = torch.randn(2, 4, 10, 14)
    motion = torch.randn(2, 2, 10, 14) * 3
    warped = gsvnet.warp(source, motion)
    for one, field, result in zip(source, motion, warped, strict=True):
        expected = reference.warp(
            np.ascontiguousarray(one.permute(1, 2, 0).numpy()), np.ascontiguousarray(field.permute(1, 2, 0).numpy())
        )
        np.testing.assert_allclose(result.permute(1, 2, 0).numpy(), expected, atol=1e-4)


def test_motion_on_a_finer_grid_is_in_its_cells():
    motion = torch.full((1, 2, 5, 7), 1.5)
    enlarged = gsvnet.enlarge_motion(motion, torch.zeros(1, 3, 10, 14))
    torch.testing.assert_close(enlarged, torch.full((1, 2, 10, 14), 3.0))
    assert gsvnet.enlarge_motion(motion, torch.zeros(1, 3, 5, 7)) is motion


@pytest.mark.parametrize("times", [1, 2])
def test_edges_are_where_a_neighbor_has_another_label(times):
    logits = smooth(1, 4, 6 * times, 8 * times)
    ids = np.pad(logits.argmax(1)[0].numpy(), 1, mode="edge")
    expected = np.zeros((6, 8))
    for y in range(6):
        for x in range(8):
            window = ids[y * times : (y + 1) * times + 2, x * times : (x + 1) * times + 2]
            expected[y, x] = window.min() != window.max()
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(gsvnet.edges(logits, times)[0, 0].numpy(), expected)


@pytest.mark.parametrize("grid", [(1, 1), (4, 4), (5, 7), (45, 60), (17, 30)])
@pytest.mark.parametrize("times", [1, 2])
def test_every_size_and_class_count(grid, times):
    network = GsvNet(3, width=8).eval()
    logits = torch.randn(1, 3, times * grid[0], times * grid[1])
    with torch.inference_mode():
        carried = network(logits, torch.randn(1, 3, *grid), torch.randn(1, 3, *grid))
    assert carried.shape == logits.shape
    assert carried.isfinite().all()


def test_the_search_tells_how_far_a_picture_moved():
    there = torch.rand(1, 3, 20, 24)
    here = gsvnet.warp(there, torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, 20, 24))
    errors = gsvnet.displaced_errors(here, there, 3)
    assert errors.shape == (1, 49, 20, 24)
    assert (errors[0, :, 4:-4, 4:-4].argmin(0) == (3 - 1) * 7 + 3 + 2).all()  # rows first
    carried = GsvNet(3, width=8, search=3).eval()(torch.zeros(1, 3, 40, 48), here, there)
    assert carried.shape == (1, 3, 40, 48)


def test_given_motion_replaces_the_flow_net():
    network = GsvNet(3, width=8).eval()
    nn.init.normal_(network.flow.head.weight)
    logits, here, there = smooth(1, 3, 8, 12), torch.randn(1, 3, 8, 12), torch.randn(1, 3, 8, 12)
    with torch.inference_mode():
        found = network.flow(here, there)
        torch.testing.assert_close(network(logits, here, there, found), network(logits, here, there))
        assert not torch.equal(network(logits, here, there, found + 2), network(logits, here, there))


def test_it_is_as_large_as_published():
    """394 784 parameters at 19 classes without those of the normalization, and a flow net of 185 570."""
    network = GsvNet(19, width=32, zero_plane=True, error_plane=False)

    def size(module: nn.Module) -> int:
        return sum(p.numel() for m in module.modules() if isinstance(m, nn.Conv2d) for p in m.parameters())

    assert size(network.flow) == 185_570
    assert size(network) == 394_784


def macs(network: nn.Module, *inputs: torch.Tensor) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(*inputs)
    return counter.get_total_flops() / 2


def test_a_step_costs_less_than_six_percent_of_a_keyframe():
    with torch.device("meta"):
        key = macs(factory.swiftnet("mobilenet_v2", 11), torch.zeros(1, 3, 544, 960))
        inputs = torch.zeros(1, 11, 136, 240), torch.zeros(1, 3, 68, 120), torch.zeros(1, 3, 68, 120)
        step, published = macs(GsvNet(11, search=3), *inputs), macs(GsvNet(11, width=32), *inputs)
    assert step < 0.06 * key
    assert step < 0.8 * published


def test_every_part_learns():
    network = GsvNet(3, width=8)
    nn.init.normal_(network.flow.head.weight)
    # Not the biases in front of normalization: it takes them away.
    logits, here, there = smooth(2, 3, 16, 24), torch.randn(2, 3, 8, 12), torch.randn(2, 3, 8, 12)
    F.cross_entropy(network(logits, here, there), torch.randint(3, (2, 16, 24))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, name
    taps = network.guidance.head[1].bias.grad
    assert taps is not None
    assert not (taps == 0).any()  # type: ignore[union-attr]
