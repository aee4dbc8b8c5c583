"""The recipe of LMANet: what a batch becomes, which parts learn when, and a training from end to end."""

from __future__ import annotations

import hashlib

import pytest
import torch

from vss_ray import config as points
from vss_ray.errors import ConfigError, ModelError
from vss_ray.labels import taxonomy
from vss_ray.networks import halves
from vss_ray.networks import lmanet as network
from vss_ray.segmenters import builtin
from vss_ray.training import lmanet, recipes

TINY = [
    "steps=2",
    "modules.epochs=1",
    "modules.batch=2",
    "joint.epochs=1",
    "joint.batch=2",
    "memory=2",
    "network.key_channels=4",
    "network.value_channels=8",
    "network.window=3",
    "sequences.augment.crop=64",
    "mixture.scenes=0",
    "mixture.stills=1",
]


def test_parts_learn_in_turn(base):
    swiftnet, _ = builtin.load_network(builtin.Config(weights=str(base)))
    learner = lmanet.Learner(network.LmaNet(network.Config(), halves.cut(swiftnet)), with_keys=True, with_decoder=False)
    learning = {name.split(".")[1] for name, p in learner.named_parameters() if p.requires_grad}
    assert learning == {"query_key", "memory_key", "memory_value", "fusion"}
    learner = lmanet.Learner(learner.network, with_keys=False, with_decoder=True).train()
    assert {n.split(".")[1] for n, p in learner.named_parameters() if p.requires_grad} == {
        "memory_value",
        "fusion",
        "decoder",
    }
    assert learner.network.fusion.training
    assert not any(module.training for module in learner.network.decoder.modules())


def test_a_batch_becomes_pictures_and_memories_of_every_length():
    """One picture, those nearest to it as memory; the features tell which."""
    images = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(2, 4, 3, 16, 16)
    labels = torch.arange(4).view(1, 4, 1, 1).expand(2, 4, 16, 16)

    def encode(*inputs):
        (x,) = inputs
        return x[:, :, ::8, ::8], x[:, :, ::4, ::4]

    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        made = lmanet.example(encode, images, labels, 5, lmanet.Degradation(share=0))
        here, others = int(made.features[0, 0, 0, 0]), made.memory[0, :, 0, 0, 0].int().tolist()
        assert here not in others
        assert max(abs(o - here) for o in others) <= min(
            (abs(o - here) for o in {*range(4)} - {here, *others}), default=3
        )
        assert (made.labels == here).all()
        assert all((each == here).all() for each in made.others)
        assert made.classes.argmax(-1)[0, :, 0, 0].tolist() == [here, *others]
        seen.add((here, len(others)))
    assert seen == {(here, count) for here in range(4) for count in (1, 2, 3)}


def test_degraded():
    images = torch.rand(40, 3, 32, 48)
    torch.manual_seed(0)
    worse = lmanet.degraded(images, lmanet.Degradation(share=0.5))
    changed = (worse != images).flatten(1).any(1)
    assert 10 < changed.sum() < 30
    assert worse.shape == images.shape
    torch.testing.assert_close(lmanet.degraded(images, lmanet.Degradation(share=0)), images)


def test_class_shares():
    labels = torch.full((1, 8, 16), 255)
    labels[:, :4, :8] = 1
    shares = lmanet.class_shares(labels, 3)
    assert shares.shape == (1, 1, 2, 3)
    assert shares[0, 0].tolist() == [[0, 0.5, 0], [0, 0, 0]]


def test_mismatch_is_least_where_classes_are_found():
    wanted = torch.eye(3).view(1, 1, 3, 3)
    right, even = lmanet.mismatch(wanted, wanted), lmanet.mismatch(torch.full_like(wanted, 1 / 3), wanted)
    assert right < 0.01 < even
    assert lmanet.mismatch(wanted, torch.zeros_like(wanted)) == 0


def test_refusals(data, base, tmp_path):
    out = tmp_path / "lmanet.safetensors"
    with pytest.raises(ConfigError, match=r"--out .*weights\.pth: wanted a file that ends in \.safetensors"):
        lmanet.run(data, tmp_path / "weights.pth", base=str(base))
    with pytest.raises(ConfigError, match="lmanet builds on --base"):
        lmanet.run(data, out, base=str(base), imagenet_weights=base)
    with pytest.raises(ConfigError, match=r"unknown key joint\.epoch; did you mean epochs"):
        lmanet.run(data, out, base=str(base), overrides=["joint.epoch=3"])
    with pytest.raises(ModelError, match="no file"):
        lmanet.run(data, out, base="nothing")
    assert not out.exists()


def test_the_same_recipe_gives_the_same_network(data, base, tmp_path):
    config = recipes.build(lmanet.Config, {}, TINY)
    digests = set()
    for name in ("one", "two"):
        trained = lmanet.train(data, config, base=str(base), videos=[], checkpoint=tmp_path / name / "x.checkpoint")
        assert not trained.training
        content = b"".join(tensor.numpy().tobytes() for tensor in trained.state_dict().values())
        digests.add(hashlib.sha256(content).hexdigest())
    assert len(digests) == 1


def test_from_stills_to_a_measured_file(data, base, tmp_path):
    """``vss train lmanet``: the file it writes is what the pipeline then runs."""
    out = tmp_path / "lmanet.safetensors"
    result = lmanet.run(data, out, base=str(base), recipe=recipes.load("lmanet"), overrides=TINY)
    assert 0 <= result["mean_iou"] <= 1
    assert set(result["by_memory"]) == {"past", "both"}
    assert not list(tmp_path.glob("*checkpoint"))
    point = points.load("lmanet", [f"segmenter.weights={base}", f"method.weights={out}"])
    assert point.describe().taxonomy == taxonomy.load("camvid")
    with pytest.raises(ModelError, match="was trained on the segmenter with sha256"):
        points.load("lmanet", [f"method.weights={out}"]).describe()


@pytest.mark.parametrize("name", ["lmanet", "lmanet-gpu"])
def test_recipes_are_valid(name):
    recipes.build(lmanet.Config, recipes.load(name))
