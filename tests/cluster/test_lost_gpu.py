"""Which errors leave a process without its GPU, and which do not."""

from __future__ import annotations

import pytest
import torch

from vss_ray.cluster.lost_gpu import lost_gpu
from vss_ray.errors import VideoError

LOST = (
    "CUDA error: device-side assert triggered",
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: uncorrectable ECC error encountered",
)


@pytest.mark.parametrize("text", LOST)
@pytest.mark.parametrize("kind", [torch.AcceleratorError, RuntimeError])
def test_the_line_is_found_however_deep(text, kind):
    error = kind(f"{text}\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n")
    assert lost_gpu(error) == text
    outer = ValueError("this batch cannot be inferred")
    outer.__cause__ = error
    assert lost_gpu(outer) == text


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: invalid configuration argument"),
        torch.AcceleratorError("CUDA error: invalid device ordinal"),
        VideoError("device-side assert.mp4: no video in it"),
    ],
)
def test_others_cost_only_their_clip(error):
    assert lost_gpu(error) is None
