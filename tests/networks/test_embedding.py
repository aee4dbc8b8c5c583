"""A picture's vector is the mean of the deepest features; scores are what they were without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vss_ray import engines
from vss_ray.networks import factory
from vss_ray.networks.embedding import Embedded, embedded, has_embedding, pooled
from vss_ray.networks.views import Views

WIDTHS = {"swiftnet": 320, "icnet": 256, "erfnet": 64, "pspnet": 64, "bisenet": 64}
"""Channels of the deepest features of the narrow networks below."""


def build(name, encoder="mobilenet_v2"):
    torch.manual_seed(0)
    return factory.build(name, encoder, 5, {"erfnet": 8, "pspnet": 64}.get(name, 32)).eval()


def features(network, x):
    """The deepest features, the plain way."""
    kept = []
    hook = network.deepest.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    network(x)
    hook.remove()
    return kept[0]


@pytest.mark.parametrize("name", factory.networks())
@torch.inference_mode()
def test_every_network_has_one(name):
    network, x = build(name), torch.rand(2, 3, 64, 96)
    expected = network(x)
    logits, vectors = Embedded(network, network)(x)
    assert torch.equal(logits, expected)
    assert vectors.shape == (2, WIDTHS[name])
    assert vectors.dtype == torch.float16
    assert torch.equal(vectors, F.normalize(features(network, x).mean((2, 3)), dim=1).half())
    torch.testing.assert_close(vectors.float().norm(dim=1), torch.ones(2), atol=2e-3, rtol=0)


@pytest.mark.parametrize("encoder", factory.encoders())
@torch.inference_mode()
def test_every_encoder_has_one(encoder):
    if encoder == "mit":
        pytest.importorskip("transformers")
    network, x = build("swiftnet", encoder), torch.rand(1, 3, 64, 96)
    _, vectors = Embedded(network, network)(x)
    assert torch.equal(vectors, pooled(network.encoder(x)[-1]))
    assert vectors.shape[1] == network.encoder.channels[-1]


@pytest.mark.parametrize(
    ("scales", "mirror", "plain"), [((0.5, 1.0), False, 1), ((1.5, 1.0), True, 2), ((1.2,), True, 0)]
)
@torch.inference_mode()
def test_heavy_keyframes_are_embedded_as_they_are(scales, mirror, plain):
    network, x = build("swiftnet", "resnet"), torch.rand(1, 3, 64, 64)
    views = Views(network, scales, mirror)
    assert views.plain_view == plain
    expected = views(x)
    logits, vectors = Embedded(views, views)(x)
    assert torch.equal(logits, expected)
    if 1.0 in scales:
        assert torch.equal(vectors, pooled(features(network, x)))


@torch.inference_mode()
def test_tokens_are_averaged_too():
    tokens = torch.rand(2, 7, 5)
    assert torch.equal(pooled(tokens), pooled(tokens.transpose(1, 2)[..., None]))


@torch.inference_mode()
def test_nothing_is_kept_of_runs_for_somebody_else():
    network, x = build("erfnet"), torch.rand(1, 3, 32, 32)
    graph = Embedded(network, network)
    network(x)
    assert graph._seen is None
    assert len(graph(x)) == 2
    assert graph._seen is None


def test_a_network_without_deepest_features_has_none():
    plain = nn.Conv2d(3, 2, 4, 4)
    assert not has_embedding(plain)
    assert not has_embedding(Views(plain, (1.0,), mirror=True))
    assert embedded(plain, plain) is plain


@pytest.mark.parametrize("name", ["openvino", "torch"])
@pytest.mark.parametrize("network", ["swiftnet", "pspnet"])
def test_engines_say_the_same_of_the_scores(name, network):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    config = engines.Execution(engine=name, precision="fp32")
    kind = {"mean": (0.0,) * 3, "std": (255.0,) * 3, "threads": 1, "device": "cpu"}
    with_embedding, _ = answers = engines.build(config, build(network), **kind)(pixels)
    without, nothing = engines.build(config, _Blind(build(network)), **kind)(pixels)
    assert nothing is None
    assert with_embedding.tobytes() == without.tobytes()
    assert answers[1].shape == (2, WIDTHS[network])


class _Blind(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


class _TwoLayers(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 2, 3))

    @property
    def deepest(self):
        return self[0]


def test_one_graph_for_torch_compile_too():
    network = _TwoLayers().eval()
    graph, x = Embedded(network, network), torch.rand(1, 3, 32, 32)
    compiled = torch.compile(graph, backend="eager", fullgraph=True)
    with torch.inference_mode():
        for found, wanted in zip(compiled(x), graph(x), strict=True):
            assert torch.equal(found, wanted)
