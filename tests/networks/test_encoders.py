from __future__ import annotations

import pytest
import torch

from vss_ray.networks.mobilenet_v2 import MobileNetV2
from vss_ray.networks.resnet import ResNet18


def test_mobilenet_v2_is_the_size_of_the_paper():
    # 3.4 M in Table 4, less the last convolution (320 x 1280, normalized) and the classifier (1280 x 1000 + 1000).
    assert sum(p.numel() for p in MobileNetV2().parameters()) == 3_504_872 - (320 * 1280 + 2 * 1280) - 1_281_000


def test_resnet_18_is_the_size_of_the_paper():
    assert sum(p.numel() for p in ResNet18().parameters()) == 11_689_512 - 513_000


@pytest.mark.parametrize(("network", "head"), [(MobileNetV2(), "classifier.1.weight"), (ResNet18(), "fc.weight")])
def test_torchvisions_files_fit(network, head):
    theirs = {**network.state_dict(), head: torch.zeros(1)}
    assert network.convert(theirs).keys() == network.state_dict().keys()


def test_torchvisions_names():
    assert {"features.0.0.weight", "features.1.conv.0.0.weight", "features.17.conv.3.running_var"} <= set(
        MobileNetV2().state_dict()
    )
    assert {"conv1.weight", "layer2.0.downsample.1.weight", "layer4.1.bn2.bias"} <= set(ResNet18().state_dict())
