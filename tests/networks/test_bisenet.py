from __future__ import annotations

import torch

from vss_ray.networks.bisenet import BiSeNet
from vss_ray.networks.resnet import ResNet18


def test_size():
    """ResNet-18's 11.2 M and 2.1 M of paths and heads; the 49.0 M of the paper's table are not what its layers have."""
    network = BiSeNet(19)
    serving = [p for k, p in network.named_parameters() if not k.startswith(network.training_only)]
    assert round(sum(p.numel() for p in serving) / 1e6, 1) == 13.3


def test_names_of_the_public_weights():
    state = BiSeNet(19).state_dict()
    assert {
        "cp.resnet.layer4.0.downsample.1.running_var",
        "cp.arm16.conv.conv.weight",
        "cp.arm32.bn_atten.weight",
        "cp.conv_head16.bn.weight",
        "cp.conv_avg.conv.weight",
        "sp.conv1.conv.weight",
        "sp.conv_out.bn.bias",
        "ffm.convblk.conv.weight",
        "ffm.conv.weight",
        "ffm.bn.weight",
        "conv_out.conv.conv.weight",
        "conv_out.conv_out.bias",
        "conv_out16.conv_out.weight",
        "conv_out32.conv.bn.weight",
    } <= set(state)
    assert state["sp.conv1.conv.weight"].shape == (64, 3, 7, 7)
    assert state["conv_out.conv.conv.weight"].shape == (256, 256, 3, 3)
    assert BiSeNet.convert(state) == state


def test_its_encoder_takes_imagenet_weights():
    encoder = BiSeNet(5).encoder
    assert encoder.state_dict().keys() == ResNet18().state_dict().keys()


def test_context_reaches_everywhere():
    torch.manual_seed(0)
    network = BiSeNet(2, width=32).eval()
    x = torch.rand(1, 3, 64, 640, requires_grad=True)
    network(x)[..., -1].sum().backward()
    assert x.grad is not None
    assert x.grad[..., :8].any()
