from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vss_ray.engines import torch as engine
from vss_ray.errors import ModelError
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD

NORMALIZATION = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "threads": 1}


def test_no_onnx():
    with pytest.raises(ModelError, match=r"net\.onnx: torch cannot run an ONNX file; set segmenter.engine=openvino"):
        engine.build(engine.Config(), Path("net.onnx"), device="cpu", **NORMALIZATION)


def test_uses_the_threads_it_was_given(network, pixels):
    engine.build(engine.Config(), network, device="cpu", **NORMALIZATION)
    assert torch.get_num_threads() == 1


def test_graphs_with_outputs_in_half_precision():
    """Autocast to bf16 refuses to join such tensors."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), Halving())
    graph = engine.build_graph(engine.Config(precision="bf16"), module, threads=1, device="cpu")
    x = torch.rand(3, 3, 8, 8)
    (found,) = graph(x)
    assert found.dtype == torch.float16
    with torch.inference_mode():
        torch.testing.assert_close(found, module(x), rtol=0, atol=1e-2)


class Halving(nn.Module):
    def forward(self, x):
        return x.half()


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_any_number_of_pictures(network, pixels, batch):
    on_cpu = engine.build(engine.Config(), network, device="cpu", **NORMALIZATION)
    scores, embeddings = on_cpu(pixels)
    many, seen = on_cpu.in_batches([*pixels, *pixels[::-1], pixels[0]], batch)
    np.testing.assert_array_equal(many, scores[[0, 1, 1, 0, 0]])
    np.testing.assert_array_equal(seen, embeddings[[0, 1, 1, 0, 0]])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_cuda_overlaps_batches_that_it_recorded(network, pixels, compiled, precision):
    config = engine.Config(precision=precision, compile=compiled)
    on_cuda = engine.build(config, network, device="cuda", **NORMALIZATION)
    scores, embeddings = on_cuda(pixels)
    order = np.random.default_rng(0).integers(0, len(pixels), 37)
    many, seen = on_cuda.in_batches([pixels[i] for i in order], len(pixels))
    np.testing.assert_array_equal(many, scores[order])
    np.testing.assert_array_equal(seen, embeddings[order])
    assert len(on_cuda._through._run._recorded) == 1  # none was launched kernel by kernel
    network.cpu()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("compiled", [False, True])
def test_cuda_is_nearly_what_the_cpu_says(network, pixels, expected, compiled):
    config = engine.Config(precision="bf16", compile=compiled)
    on_cuda = engine.build(config, network, device="cuda", **NORMALIZATION)
    scores, embeddings = on_cuda(pixels)
    assert scores.dtype == np.float16
    assert scores.flags.c_contiguous
    assert (scores.argmax(-1) == expected.argmax(-1)).mean() > 0.995
    np.testing.assert_array_equal(on_cuda(pixels)[0], scores)
    np.testing.assert_array_equal(on_cuda(pixels[::-1])[0][1], scores[0])
    np.testing.assert_array_equal(on_cuda(pixels)[1], embeddings)
    network.cpu()
