"""The torch attention against the definition, unfolded; the network before it has learned anything."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vss_ray.networks import factory, halves, lmanet
from vss_ray.networks.local_attention import attend


def unfolded(queries: Tensor, keys: Tensor, values: Tensor, window: int, zero_padding: bool) -> Tensor:
    """Everything at once: one score and one value per offset and frame."""
    height, width = queries.shape[1:3]
    radius = window // 2
    around = (radius,) * 4
    padded_keys = F.pad(keys.permute(0, 1, 3, 2, 4), around)
    padded_values = F.pad(values.permute(0, 1, 4, 2, 3), around)
    inside = F.pad(torch.ones(height, width, dtype=torch.bool), around)
    scores, found = [], []
    for frame in range(keys.shape[1]):
        for down in range(window):
            for right in range(window):
                there = (..., slice(down, down + height), slice(right, right + width))
                score = (queries.permute(0, 3, 1, 2) * padded_keys[:, frame][there]).sum(1)
                scores.append(score if zero_padding else score.masked_fill(~inside[there], -torch.inf))
                found.append(padded_values[:, frame][there])
    weights = torch.stack(scores, 1).softmax(1)
    return (weights[:, :, None] * torch.stack(found, 1)).sum(1).permute(0, 2, 3, 1)


@pytest.mark.parametrize(("num_frames", "window"), [(1, 1), (2, 5), (3, 11)])
@pytest.mark.parametrize("zero_padding", [False, True])
def test_attention_and_its_gradients(num_frames, window, zero_padding):
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 6, 7, 4), (2, num_frames, 6, 4, 7), (2, num_frames, 6, 7, 5)]
    inputs = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    exact = [each.detach().double().requires_grad_() for each in inputs]
    read = attend(*inputs, window, zero_padding=zero_padding)
    wanted = unfolded(*exact, window, zero_padding)
    torch.testing.assert_close(read, wanted.float(), rtol=1e-4, atol=1e-5)
    weights = torch.randn(read.shape, generator=generator)
    (read * weights).sum().backward()
    (wanted * weights.double()).sum().backward()
    for own, reference in zip(inputs, exact, strict=True):
        torch.testing.assert_close(own.grad, reference.grad.float(), rtol=1e-4, atol=1e-5)


def test_scores_are_float32_under_autocast():
    inputs = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 4, 8, 5), torch.randn(1, 2, 4, 5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        read = attend(*inputs, 3)
    torch.testing.assert_close(read, attend(*inputs, 3), rtol=0, atol=0)


def test_attention_refuses():
    inputs = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 4, 8, 5), torch.randn(1, 2, 4, 5, 3)
    with pytest.raises(ValueError, match="window = 2"):
        attend(*inputs, 2)
    with pytest.raises(ValueError, match=r"one memory frame or more, got keys.shape = torch.Size\(\[1, 0, 4, 8, 5\]\)"):
        attend(inputs[0], inputs[1][:, :0], inputs[2][:, :0], 3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_attention_on_cuda():
    inputs = torch.randn(1, 40, 50, 16), torch.randn(1, 3, 40, 16, 50), torch.randn(1, 3, 40, 50, 64)
    read = attend(*(each.cuda() for each in inputs), 11)
    torch.testing.assert_close(read.cpu(), attend(*inputs, 11), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def base():
    torch.manual_seed(0)
    return factory.swiftnet("mobilenet_v2", num_classes=5, width=32).eval().requires_grad_(False)


@pytest.mark.parametrize("fusion", ["blend", "gated", "concat"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_untrained_it_changes_nothing(base, fusion, kernel):
    network = lmanet.LmaNet(lmanet.Config(fusion=fusion, kernel=kernel), halves.cut(base)).eval()
    pictures = torch.randn(3, 3, 64, 96)
    features, lateral = halves.cut(base).front(pictures)
    assert features.shape == (3, 32, 8, 12)
    assert lateral.shape == (3, base.encoder.channels[0], 16, 24)
    memory = features[1:][None]
    logits, read = network(features[:1], memory, [lateral[:1]], torch.ones(1, 2, 8, 12, 4))
    torch.testing.assert_close(logits, base(pictures)[:1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(read, torch.ones(1, 8, 12, 4))


def test_untrained_blend_takes_what_is_like_it(base):
    """All components are kept here: what is read of a cell is the whole cell."""
    network = lmanet.LmaNet(lmanet.Config(value_channels=32), halves.cut(base)).eval()
    features = torch.randn(1, 32, 8, 12)
    network.begin(features)
    for difference, share in ((1e-2, 0.73), (10.0, 0.0)):
        _, read = network.memorize(features + difference)
        taken = (network.fuse(features, read) - features) / difference
        torch.testing.assert_close(taken, torch.full_like(taken, share), atol=1e-2, rtol=0)


def test_keys_begin_as_principal_components(base):
    """Cells find the ones they equal, wherever these went."""
    network = lmanet.LmaNet(lmanet.Config(key_channels=8, value_channels=16), halves.cut(base)).eval()
    features = torch.randn(1, 32, 8, 12)
    network.begin(features)
    keys = network.query_key(features).permute(0, 2, 3, 1).flatten(0, 2)
    covariance = keys.T @ keys / len(keys)
    torch.testing.assert_close(keys.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
    assert (covariance - covariance.diag().diag()).abs().max() < 1e-2 * covariance.diag().min()
    moved = features.roll((1, 2), (2, 3))
    key, value = network.memorize(moved)
    query, key = network.comparable(10 * network.query(features), 10 * key)
    read = attend(query, key[:, None], value[:, None], 5).permute(0, 3, 1, 2)
    wanted = network.memory_value(features)
    torch.testing.assert_close(read[..., :-1, :-2], wanted[..., :-1, :-2], atol=1e-2, rtol=0)


def test_keys_begin_alike_however_large_features_are(base):
    features = torch.randn(1, 32, 8, 12)
    found = []
    for size in (1, 10):
        network = lmanet.LmaNet(lmanet.Config(key_channels=8, value_channels=16), halves.cut(base)).eval()
        network.begin(size * features)
        found.append(network.query(size * features).square())
        torch.testing.assert_close(
            network.fusion.tolerance, size**2 * lmanet.TOLERANCE * features.var().view(1), rtol=0.1, atol=0
        )
    torch.testing.assert_close(*found, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("scores", ["distance", "product"])
def test_scores(base, scores):
    network = lmanet.LmaNet(lmanet.Config(scores=scores), halves.cut(base))
    query, key = torch.randn(1, 2, 3, 16), torch.randn(1, 2, 16, 3)
    queries, keys = network.comparable(query, key)
    found = (queries @ keys).softmax(-1)
    products = query @ key
    wanted = -torch.cdist(query, key.mT).square() / 2 if scores == "distance" else products
    torch.testing.assert_close(found, wanted.softmax(-1))


def test_query_and_memory_begin_alike_and_part(base):
    network = lmanet.LmaNet(lmanet.Config(), halves.cut(base))
    torch.testing.assert_close(network.query_key.weight, network.memory_key.weight, rtol=0, atol=0)
    assert network.query_key.weight is not network.memory_key.weight
    assert network.decoder.enlarge is not base.upsamples[-1]
