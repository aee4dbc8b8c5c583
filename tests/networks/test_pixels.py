from __future__ import annotations

import numpy as np
import torch
from torch import nn

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities, normalize


def test_normalize():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), np.uint8)
    expected = ((pixels - np.array(IMAGENET_MEAN)) / IMAGENET_STD).transpose(0, 3, 1, 2)
    normalized = normalize(torch.from_numpy(pixels))
    assert normalized.dtype == torch.float32
    assert normalized.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(normalized.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_probabilities():
    torch.manual_seed(0)
    network = nn.Conv2d(3, 5, 4, 4)
    pixels = torch.randint(0, 256, (2, 8, 12, 3), dtype=torch.uint8)
    probabilities = Probabilities(network, (128,) * 3, (64,) * 3)(pixels)
    assert probabilities.dtype == torch.float16
    assert probabilities.shape == (2, 2, 3, 5)
    expected = network((pixels.permute(0, 3, 1, 2).float() - 128) / 64).softmax(1).permute(0, 2, 3, 1)
    torch.testing.assert_close(probabilities.float(), expected, rtol=1e-3, atol=1e-4)
    assert not any("mean" in name for name in Probabilities(network, (0,) * 3, (1,) * 3).state_dict())
