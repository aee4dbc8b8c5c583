from __future__ import annotations

import numpy as np
import torch

from vss_ray.networks.erfnet import ERFNet
from vss_ray.networks.pixels import normalize


def test_is_the_size_of_the_paper():
    network = ERFNet(20)
    serving = [p for k, p in network.named_parameters() if not k.startswith(network.training_only)]
    assert round(sum(p.numel() for p in serving) / 1e6, 1) == 2.1


def test_names_of_the_public_weights():
    state = ERFNet(20).state_dict()
    assert {
        "encoder.initial_block.conv.weight",
        "encoder.layers.0.bn.running_mean",
        "encoder.layers.5.conv1x3_2.bias",
        "encoder.layers.14.conv3x1_1.weight",
        "encoder.output_conv.weight",
        "decoder.layers.0.conv.weight",
        "decoder.layers.5.bn2.weight",
        "decoder.output_conv.bias",
    } <= set(state)
    assert state["encoder.initial_block.conv.weight"].shape == (13, 3, 3, 3)
    assert state["decoder.output_conv.weight"].shape == (16, 20, 2, 2)
    assert ERFNet.convert(state) == state


def test_sees_pixels_from_0_to_1():
    pixels = np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3)
    seen = normalize(torch.from_numpy(pixels), ERFNet.mean, ERFNet.std)
    torch.testing.assert_close(seen.ravel(), torch.tensor([0, 0.2, 1]))


def test_dilated_blocks_see_far():
    """Three dilations of 16 around a pixel at stride 8 reach beyond 300 pixels; nothing undilated does."""
    torch.manual_seed(0)
    network = ERFNet(2, width=8).eval()
    x = torch.rand(1, 3, 64, 640, requires_grad=True)
    network.encoder(x)[..., 40].sum().backward()
    assert x.grad is not None
    assert x.grad[..., :20].any()
