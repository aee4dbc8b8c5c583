"""The recipe of GSVNet, on a handful of tiny stills and a tiny keyframe network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from vss_ray.errors import ConfigError, ModelError
from vss_ray.flow import inverse_search
from vss_ray.methods import gsvnet as method
from vss_ray.networks import factory
from vss_ray.networks.gsvnet import GsvNet
from vss_ray.networks.pixels import normalize
from vss_ray.segmenters import builtin
from vss_ray.training import gsvnet

TINY = [
    *("schedule.epochs=1", "schedule.batch=2", "steps=2", "mixture.scenes=0", "width=8", "farthest=3"),
    *("sequences.augment.crop=64", "sequences.augment.rare_classes=[2]"),
]


def batch(length: int, *, is_carried_along_it: bool = False) -> gsvnet.Batch:
    torch.manual_seed(1)
    return gsvnet.Batch(
        images=torch.randn(2, length, 3, 64, 96),
        labels=torch.randint(11, (2, length, 64, 96)),
        motion=torch.full((2, length - 1, 2, 8, 12), 0.5),
        is_carried_along_it=is_carried_along_it,
    )


@pytest.mark.parametrize("length", [2, 3, 5])
@pytest.mark.parametrize("stride", [4, 8])
def test_the_keyframe_network_learns_nothing(length, stride):
    network = factory.swiftnet("mobilenet_v2", 11, width=16).eval().requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    model = GsvNet(11, width=8, search=3)
    terms = gsvnet.loss(model, network, batch(length), torch.ones(11), gsvnet.Config(stride=stride))
    terms["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_only_the_last_steps_are_learned_from():
    """Statistics of the normalization move once a step that is in training."""
    network = nn.Conv2d(3, 11, 4, 4).requires_grad_(False)
    for length, seen in ((2, 1), (3, 2), (5, 2)):
        model = GsvNet(11, width=8, search=3)
        gsvnet.loss(model, network, batch(length), torch.ones(11), gsvnet.Config())
        assert model.guidance.first[1].num_batches_tracked == seen
        assert model.training


def test_the_flow_net_follows_its_teacher():
    model, network = GsvNet(11, width=8, search=3), nn.Conv2d(3, 11, 4, 4).requires_grad_(False)
    config = gsvnet.Config()
    optimizer = torch.optim.Adam(model.flow.parameters(), 3e-3)
    values = []
    for _ in range(12):
        value = gsvnet.loss(model, network, batch(2, is_carried_along_it=True), torch.ones(11), config)["motion"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]


def test_solved_motion_is_in_cells_of_the_nets():
    rng = np.random.default_rng(0)
    large = cv2.GaussianBlur(rng.normal(0, 1, (160, 192, 3)), (0, 0), 4)
    large = np.clip(128 + 600 * large, 0, 255).astype(np.uint8)
    pictures = np.stack([large[8:136, 8 + 8 * i :][:, :160] for i in range(2)])  # moves left, a cell a frame
    motion = gsvnet.solved_motion(
        normalize(torch.from_numpy(pictures))[None], inverse_search.build(inverse_search.Config())
    )
    assert motion.shape == (1, 1, 2, 16, 20)
    inner = motion[0, 0, :, 3:-3, 3:-3]
    torch.testing.assert_close(inner.mean((1, 2)), torch.tensor([1.0, 0.0]), atol=0.1, rtol=0)


def test_divergence_is_zero_for_the_same():
    logits = torch.randn(1, 4, 3, 3)
    assert gsvnet.divergence(logits + 1, logits).abs() < 1e-6
    assert gsvnet.divergence(torch.randn(1, 4, 3, 3), logits) > 0


def test_refusals(data, base, tmp_path):
    out = tmp_path / "weights.safetensors"
    with pytest.raises(ConfigError, match=r"--out .*weights\.pth: wanted a file that ends in \.safetensors"):
        gsvnet.run(data, tmp_path / "weights.pth", base=base)
    with pytest.raises(ConfigError, match="gsvnet builds on --base"):
        gsvnet.run(data, out, base=base, imagenet_weights=tmp_path)
    with pytest.raises(ConfigError, match="stride is 16; wanted 4 or 8"):
        gsvnet.run(data, out, base=base, overrides=["stride=16"])
    with pytest.raises(ModelError, match=r"segmenter\.weights: no file"):
        gsvnet.run(data, out, base=str(tmp_path / "none.safetensors"))
    assert not out.exists()


def test_from_stills_to_a_measured_file(data, base, tmp_path, monkeypatch):
    """``vss train gsvnet``: the file it writes is what the pipeline then runs, and is the same every time."""
    monkeypatch.setattr(gsvnet, "INTERVALS", (4,))
    out = tmp_path / "weights.safetensors"
    result = gsvnet.run(data, out, base=base, overrides=TINY)
    assert 0 <= result["mean_iou"] <= 1
    assert {flow: list(reached) for flow, reached in result["by_interval"].items()} == {
        "learned": ["4"],
        "solved": ["4"],
    }
    segmenter = builtin.describe(builtin.Config(weights=base))
    digest = method.describe(method.Config(weights=str(out)), segmenter)
    again = tmp_path / "again.safetensors"
    monkeypatch.setattr(gsvnet, "measure", lambda *_: {})
    gsvnet.run(data, again, base=base, overrides=TINY)
    assert method.describe(method.Config(weights=str(again)), segmenter) == digest
    other = builtin.describe(builtin.Config())
    with pytest.raises(ModelError, match=f"was trained on the segmenter with sha256 {segmenter.digest[:12]}"):
        method.describe(method.Config(weights=str(out)), other)
