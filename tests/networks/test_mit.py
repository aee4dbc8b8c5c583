"""MiT: the stages that ``transformers`` has, and published files under their names of any year."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("transformers")

from vss_ray.networks.dcfm import Dcfm
from vss_ray.networks.mit import MiT
from vss_ray.networks.swiftnet import SwiftNet

CHANNELS = (8, 16, 40, 64)

# What the parts of a block were called in the files of the model hub.
OLD_NAMES = {
    "attention.q_proj": "attention.self.query",
    "attention.k_proj": "attention.self.key",
    "attention.v_proj": "attention.self.value",
    "attention.o_proj": "attention.output.dense",
    "attention.sequence_reduction.sequence_reduction": "attention.self.sr",
    "attention.sequence_reduction.layer_norm": "attention.self.layer_norm",
    "mlp.fc1": "mlp.dense1",
    "mlp.fc2": "mlp.dense2",
    "layernorm_before": "layer_norm_1",
    "layernorm_after": "layer_norm_2",
}


def encoder() -> MiT:
    torch.manual_seed(0)
    return MiT(CHANNELS, (1, 1, 1, 1)).eval()


def picture() -> Tensor:
    return torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def test_a_pyramid():
    with torch.no_grad():
        pyramid = encoder()(picture())
        theirs = encoder().model(picture(), output_hidden_states=True).hidden_states
    assert [tuple(level.shape) for level in pyramid] == [(1, c, 16 >> i, 24 >> i) for i, c in enumerate(CHANNELS)]
    for ours, expected in zip(pyramid, theirs, strict=True):
        torch.testing.assert_close(ours, expected)


def test_early_is_the_first_block_before_its_normalization():
    network = encoder()
    first = network.model.stages[0]
    with torch.no_grad():
        early = network.early(picture())
        normalized = first.layer_norm(early.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(normalized, network(picture())[0])  # one block is the whole stage here
    assert early.shape == (1, CHANNELS[0], 16, 24)


def test_a_backbone_of_dcfm():
    network = Dcfm(SwiftNet(encoder(), 5, 16)).eval()
    with torch.no_grad():
        assert network(picture()).shape == (1, 5, 16, 24)
    assert network.fusion.convolution.in_channels == 16 + CHANNELS[0] // 2


@pytest.mark.parametrize("names", ["today's", "the hub's"])
def test_published_files_fit(names):
    network = encoder()
    state = {(name if names == "today's" else _old(name)): t for name, t in network.model.state_dict().items()}
    state["decode_head.classifier.bias"] = torch.zeros(1)
    converted = network.convert(state)
    assert converted.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in converted.items())


def _old(name: str) -> str:
    _, stage, part, *rest = name.split(".")
    if part != "blocks":
        return ".".join(["segformer", "encoder", part, stage, *rest])
    name = ".".join(["segformer", "encoder", "block", stage, *rest])
    for new, old in OLD_NAMES.items():
        name = name.replace(new, old)
    return name
