"""Graphs in int8: made from pictures, the same every time, run beside floats."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vss_ray import engines
from vss_ray.engines import int8, openvino
from vss_ray.errors import ConfigError, ModelError
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities

PLACE = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "threads": 1, "device": "cpu"}

needs_nncf = pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")


class Small(nn.Module):
    """A second instead of ten: all that is asked here is asked of any network."""

    def __init__(self) -> None:
        super().__init__()
        self.deepest = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
        self.head = nn.Conv2d(32, 11, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 8 * self.head(self.deepest(x))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="module")
def expected(network, pixels):
    with torch.inference_mode():
        return Probabilities(network, IMAGENET_MEAN, IMAGENET_STD)(torch.tensor(pixels)).numpy()


@pytest.fixture(scope="module")
def engine(network):
    return openvino.build(openvino.Config(precision="int8"), network, **PLACE)


@pytest.fixture(scope="module")
def graphs(engine, pixels, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return {(96, 160): int8.quantize(engine.graph(96, 160), pixels)}


@needs_nncf
def test_is_nearly_what_fp32_says(engine, graphs, pixels, expected):
    scores, embeddings = engine.quantized(graphs)(pixels)
    assert (scores.shape, scores.dtype) == (expected.shape, np.float16)
    exact, found = expected.astype(np.float32), scores.astype(np.float32)
    assert 0 < np.abs(found - exact).mean() < 0.02
    # The network is random: most pixels are a tie. Where it prefers a class, that class must win.
    second, first = np.moveaxis(np.sort(exact, -1)[..., -2:], -1, 0)
    assert (found.argmax(-1) == exact.argmax(-1))[first - second > 0.2].mean() > 0.99
    assert np.abs(found.sum(-1) - 1).max() < 3e-3
    _, wanted = engine(pixels)
    assert (embeddings.astype(np.float32) * wanted).sum(-1).min() > 0.99


@needs_nncf
def test_a_picture_is_independent_of_its_batch_and_of_the_process(engine, graphs, pixels):
    first, again = engine.quantized(graphs)(pixels)[0], engine.quantized(dict(graphs))(pixels[::-1])[0]
    np.testing.assert_array_equal(first, again[::-1])


@needs_nncf
def test_quantized_twice_is_the_same(engine, graphs, pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    graph = engine.graph(96, 160)
    again = {(96, 160): int8.quantize(graph, pixels)}
    np.testing.assert_array_equal(engine.quantized(again)(pixels)[0], engine.quantized(graphs)(pixels)[0])
    monkeypatch.setattr(int8, "_quantized", None)
    assert int8.quantize(graph, pixels) == again[96, 160]  # kept
    with pytest.raises(TypeError):
        int8.quantize(graph, pixels[:1])  # other pictures


def test_sizes_that_were_not_quantized_run_in_floats(network, pixels, engine):
    precision = "bf16" if openvino.has_bf16() else "fp32"
    floats = openvino.build(openvino.Config(precision=precision), network, **PLACE)
    np.testing.assert_array_equal(engine.quantized({(64, 64): b""})(pixels)[0], floats(pixels)[0])


def test_without_nncf(monkeypatch):
    monkeypatch.setattr(int8, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"int8 needs the package nncf; pip install 'vss-ray\[int8\]'"):
        int8.quantize(None, [])


def test_several_sizes_in_one_piece():
    graphs = {(96, 160): b"one", (544, 960): b"another", (32, 32): b""}
    packed = int8.pack(graphs)
    assert int8.unpack(packed) == graphs
    assert int8.pack(dict(reversed(graphs.items()))) == packed
    for damaged in (packed[:-1], b"", packed[:20] + b"x" + packed[21:]):
        with pytest.raises(ModelError, match="int8 graphs of this run are damaged"):
            int8.unpack(damaged)


def test_parts_of_networks_stay_in_floats(network):
    execution = engines.Execution(engine="openvino", precision="int8")
    with pytest.raises(ConfigError, match="a method that takes the network apart runs in bf16 or fp32"):
        engines.build_graph(execution, network, threads=1, device="cpu")


@pytest.mark.parametrize("precision", ["int8", "measured"])
def test_torch_has_none(precision):
    with pytest.raises(ConfigError, match=f"engine torch does not know {precision}; take openvino, or bf16"):
        engines.resolve(engines.Execution(engine="torch", precision=precision), has_cuda=False)
    with pytest.raises(ConfigError, match="engine torch does not know"):
        engines.resolve(engines.Execution(precision=precision), has_cuda=True)
    assert engines.resolve(engines.Execution(precision=precision), has_cuda=False).precision == precision
