from __future__ import annotations

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vss_ray.networks.icnet import ICNet
from vss_ray.networks.pixels import IMAGENET_STD

# Giga-multiplications at 2048x1024, from the shapes in the published prototxt.
COSTS = {
    "conv1 conv2 conv3_1": 6.4,
    "conv3 conv4 conv5 conv5_4_k1": 12.2,
    "conv_sub4": 2.4,
    "conv3_1_sub2_proj conv_sub2 conv3_sub1_proj": 5.4,
    "sub1": 2.3,
    "conv6_cls": 0.32,
}


@pytest.fixture(scope="module")
def flops() -> dict[str, int]:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        ICNet(19).eval()(torch.zeros(1, 3, 1024, 2048))
    return {name: sum(counts.values()) for name, counts in counter.get_flop_counts().items()}


@pytest.mark.parametrize("part", COSTS)
def test_costs_what_the_published_network_costs(flops, part):
    macs = sum(flops[f"ICNet.{layer}"] for layer in part.split()) / 2e9
    assert macs == pytest.approx(COSTS[part], rel=0.03)


def test_the_deep_part_is_half_of_the_cost(flops):
    assert flops["ICNet"] / 2e9 == pytest.approx(29.0, rel=0.01)
    deep = sum(flops[f"ICNet.{layer}"] for layer in ("conv3", "conv4", "conv5", "conv5_4_k1", "conv_sub4"))
    assert deep / flops["ICNet"] == pytest.approx(0.505, abs=0.005)


def test_size():
    network = ICNet(19)
    serving = [p for k, p in network.named_parameters() if not k.startswith(network.training_only)]
    assert sum(p.numel() for p in serving) == pytest.approx(6.7e6, rel=0.01)


def test_auxiliary_heads_score_at_an_eighth_and_a_sixteenth():
    _, eighth, sixteenth = ICNet(3, width=32).forward_with_auxiliary(torch.rand(2, 3, 64, 96))
    assert eighth.shape == (2, 3, 8, 12)
    assert sixteenth.shape == (2, 3, 4, 6)


def published_name(name: str) -> str:
    """A name of this network as meetps/pytorch-semseg writes it, which follows the layers of the Caffe file."""
    units = {"reduce": "cbr1.cbr_unit", "filter": "cbr2.cbr_unit", "increase": "cb3.cb_unit", "proj": "cb4.cb_unit"}
    heads = {
        "conv5_4_k1": "conv5_4_k1.cbr_unit",
        "conv_sub4": "cff_sub24.low_dilated_conv_bn.cb_unit",
        "conv3_1_sub2_proj": "cff_sub24.high_proj_conv_bn.cb_unit",
        "conv6_sub4": "cff_sub24.low_classifier_conv",
        "conv_sub2": "cff_sub12.low_dilated_conv_bn.cb_unit",
        "conv3_sub1_proj": "cff_sub12.high_proj_conv_bn.cb_unit",
        "conv6_sub2": "cff_sub12.low_classifier_conv",
        "conv6_cls": "classification",
    }
    first, _, rest = name.partition(".")
    if first in heads:
        return f"{heads[first]}.{rest}"
    if first in ("conv1", "sub1"):
        index, rest = int(rest[0]) + 1, rest[2:]
        return f"convbnrelu1_{index}.cbr_unit.{rest}" if first == "conv1" else f"convbnrelu{index}_sub1.cbr_unit.{rest}"
    blocks = {"conv2": "res_block2", "conv3": "res_block3_identity", "conv4": "res_block4", "conv5": "res_block5"}
    rest = re.sub(r"(^|\.)(reduce|filter|increase|proj)\.", lambda m: f"{m[1]}{units[m[2]]}.", rest)
    return f"res_block3_conv.layers.0.{rest}" if first == "conv3_1" else f"{blocks[first]}.layers.{rest}"


def test_published_weights_answer_as_they_were_trained_to():
    torch.manual_seed(0)
    theirs = ICNet(4, width=32).eval()
    state = {published_name(name): tensor for name, tensor in theirs.state_dict().items()}
    state["pyramid_pooling.path_module_list.0.cbr_unit.0.weight"] = torch.zeros(1)
    for name in ("res_block2.layers.1.cbr1.cbr_unit.0.weight", "res_block3_conv.layers.0.cb4.cb_unit.1.bias"):
        assert name in state
    ours = ICNet(4, width=32).eval()
    ours.load_state_dict(ours.convert(state))
    x = torch.randn(1, 3, 64, 64)  # normalized RGB, as ours wants it
    bgr = (x * torch.tensor(IMAGENET_STD)[:, None, None]).flip(1)  # less the mean, as theirs wants it
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(bgr), rtol=1e-3, atol=1e-3)


def test_own_weights_stay_as_they_are():
    state = ICNet(4, width=32).state_dict()
    converted = ICNet.convert(state)
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], tensor) for name, tensor in state.items())
