"""The recipe of DCFM, on a handful of tiny stills and a tiny segmentation network."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from vss_ray.errors import ConfigError, ModelError
from vss_ray.methods import dcfm as method
from vss_ray.networks import factory, stored
from vss_ray.networks.dcfm import Dcfm, decoded
from vss_ray.segmenters import builtin
from vss_ray.training import dcfm, motion, recipes

TINY = [
    *("schedule.epochs=1", "schedule.batch=2", "steps=2", "mixture.scenes=0"),
    *("sequences.augment.crop=64", "sequences.augment.rare_classes=[2]"),
]

PUBLISHED: dict[str, Any] = {"frozen": False, "distillation": 0.0, "labels": 1.0}


def model() -> Dcfm:
    torch.manual_seed(0)
    return Dcfm(factory.swiftnet("mobilenet_v2", 11, width=16)).train()


def pair(*, alike: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    images, labels = torch.randn(2, 2, 3, 64, 96), torch.randint(11, (2, 2, 64, 96))
    return (images[:, :1].repeat(1, 2, 1, 1, 1), labels[:, :1].repeat(1, 2, 1, 1)) if alike else (images, labels)


def terms(network: Dcfm, *, alike: bool = False, **options: Any) -> dict[str, torch.Tensor]:
    return dcfm.loss(network, *pair(alike=alike), None, torch.ones(11), dcfm.Config(**PUBLISHED, **options))


def test_everything_learns_but_the_statistics_of_the_network():
    network = model()
    terms(network)["loss"].backward()
    silent = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert silent == {"encoder.auxiliary.weight", "encoder.auxiliary.bias"}


def test_the_loss_is_the_sum_of_its_terms():
    network = model()
    network.fusion.dropout.eval()
    with torch.no_grad():
        parts = terms(network, non_key=0.4, consistency=10.0, plain=0.2)
    expected = parts["key"] + 0.4 * parts["non_key"] + 10 * parts["inconsistency"] + 0.2 * parts["plain"]
    torch.testing.assert_close(parts["loss"], expected)


def test_a_picture_and_itself_are_consistent_and_the_same_in_both_roles():
    network = model()
    network.fusion.dropout.eval()
    with torch.no_grad():
        parts = terms(network, alike=True)
        assert parts["inconsistency"] == 0
        torch.testing.assert_close(parts["key"], parts["non_key"])
        assert terms(network)["inconsistency"] > 0


def test_the_other_picture_supplies_the_deep_features():
    """With one picture of every pair blackened, its deep features spoil the other's answer and not its own."""
    network = model().eval()
    images, labels = pair(alike=True)
    labels[:, 1] = 255  # only the first is answered for
    with torch.no_grad():
        before = dcfm.loss(network, images, labels, None, torch.ones(11), dcfm.Config(**PUBLISHED))
        images[:, 1] = 0
        after = dcfm.loss(network, images, labels, None, torch.ones(11), dcfm.Config(**PUBLISHED))
    torch.testing.assert_close(before["key"], after["key"])
    assert (before["non_key"] - after["non_key"]).abs() > 1e-3


def test_a_frozen_network_learns_nothing():
    network = model()
    network.encoder.requires_grad_(False)
    parts = dcfm.loss(network, *pair(), motion.between(pair()[0]), torch.ones(11), dcfm.Config())
    parts["loss"].backward()
    assert all(
        (parameter.grad is None) == name.startswith("encoder.") for name, parameter in network.named_parameters()
    )
    assert "plain" not in parts


def test_the_network_itself_is_the_best_that_a_frozen_one_can_be():
    """Where it starts, the fusion says nearly what its teacher says; pulled away it is told so."""
    network = model().eval()
    images, labels = pair(alike=True)
    with torch.no_grad():
        size = decoded(network.encoder, images.flatten(0, 1)).norm(dim=1).mean()
        torch.nn.init.normal_(network.encoder.head.weight, std=3 / float(size))
        torch.nn.init.zeros_(network.encoder.head.bias)  # type: ignore[arg-type]
        network.begin(images.flatten(0, 1))
        near = dcfm.loss(network, images, labels, None, torch.ones(11), dcfm.Config())["key"]
        network.fusion.classify.weight.mul_(-1)
        far = dcfm.loss(network, images, labels, None, torch.ones(11), dcfm.Config())["key"]
    assert 0 <= near < far / 10


def test_aligned_features_are_those_of_the_other_picture_moved_here():
    """A picture and itself shifted by two cells: where they overlap, both roles see the same."""
    network = model().eval()
    torch.manual_seed(2)
    scene = torch.nn.functional.interpolate(torch.randn(1, 3, 8, 16), (64, 128), mode="bilinear")
    images = torch.stack([scene[..., :96], scene[..., 32:]], 1)  # content moves left by 32 pixels, 8 cells
    labels = torch.randint(11, (1, 2, 64, 96))
    field = torch.zeros(1, 2, 16, 24, 2)
    field[:, 0, ..., 0], field[:, 1, ..., 0] = -8, 8
    labels[:, 0, :, :48], labels[:, 1, :, 48:] = 255, 255  # only what both see, and not its rim
    weights, config = torch.ones(11), dcfm.Config(**PUBLISHED, lovasz=0.0)
    with torch.no_grad():
        in_place = dcfm.loss(network, images, labels, None, weights, config)
        aligned = dcfm.loss(network, images, labels, field, weights, config)
    torch.testing.assert_close(in_place["key"], aligned["key"])
    assert (aligned["non_key"] - aligned["key"]).abs() < (in_place["non_key"] - in_place["key"]).abs()


def test_inconsistency_counts_where_the_classes_agree():
    fused = torch.zeros(1, 2, 2, 1, 2)  # unit vectors (1, 0) against (0, 1) at both positions
    fused[0, 0, 0] = fused[0, 1, 1] = 1
    logits = torch.zeros(1, 2, 3, 1, 2)
    logits[0, :, 1, 0, 0] = 1  # both say class 1 at the first position
    logits[0, 0, 1, 0, 1] = logits[0, 1, 2, 0, 1] = 1  # they disagree at the second
    assert dcfm.inconsistency(fused, logits) == pytest.approx(2 / 4)  # masked positions count in the mean


@pytest.mark.parametrize("name", ["dcfm", "dcfm-gpu"])
def test_recipes_of_the_package(name):
    config = recipes.build(dcfm.Config, recipes.load(name))
    assert config.sequences.distances == (1, 2, 3, 4)
    assert config.consistency == 10


def test_refusals(data, base, tmp_path):
    out = tmp_path / "weights.safetensors"
    with pytest.raises(ConfigError, match=r"--out .*weights\.pth: wanted a file that ends in \.safetensors"):
        dcfm.run(data, tmp_path / "weights.pth", base=base)
    with pytest.raises(ConfigError, match="dcfm builds on --base"):
        dcfm.run(data, out, base=base, imagenet_weights=tmp_path)
    with pytest.raises(ConfigError, match="unknown key consistancy; did you mean consistency"):
        dcfm.run(data, out, base=base, overrides=["consistancy=0"])
    with pytest.raises(ConfigError, match="a network that learns cannot be its own teacher"):
        dcfm.run(data, out, base=base, overrides=["frozen=false"])
    with pytest.raises(ModelError, match=r"segmenter\.weights: no file"):
        dcfm.run(data, out, base=str(tmp_path / "none.safetensors"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("frozen", [True, False])
def test_from_stills_to_a_measured_file(data, base, tmp_path, monkeypatch, frozen):
    """``vss train dcfm``: what it writes is what the pipeline then runs, and is the same every time."""
    monkeypatch.setattr(dcfm, "INTERVALS", (2,))
    if not frozen:  # measured once is enough
        monkeypatch.setattr(dcfm, "measure", lambda *_: {"mean_iou": 0.0, "by_interval": {"2": {}}})
        monkeypatch.setattr(dcfm, "_reached", lambda *_: {"mean_iou": 0.0})
    overrides = [*TINY, f"align={json.dumps(frozen)}"]
    if not frozen:
        overrides += [f"{key}={json.dumps(value)}" for key, value in PUBLISHED.items()]
    out = tmp_path / "weights.safetensors"
    result = dcfm.run(data, out, base=base, overrides=overrides)
    assert 0 <= result["mean_iou"] <= 1
    assert set(result["by_interval"]) == {"2"}
    assert dcfm.base_path(out).exists() != frozen
    before = builtin.describe(builtin.Config(weights=base))
    after = before if frozen else builtin.describe(builtin.Config(weights=str(dcfm.base_path(out))))
    digest = method.describe(method.Config(weights=str(out)), after)
    if not frozen:
        with pytest.raises(ModelError, match="on the segmenter with sha256"):
            method.describe(method.Config(weights=str(out)), before)
    again = tmp_path / "again.safetensors"
    monkeypatch.setattr(dcfm, "measure", lambda *_: {})
    dcfm.run(data, again, base=base, overrides=overrides)
    if frozen:
        assert stored.digest(again) == digest
    else:  # the digest of the network beside it is part of the file
        assert stored.digest(dcfm.base_path(again)) == after.digest
