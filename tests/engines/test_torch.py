from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

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
