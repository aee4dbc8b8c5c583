"""The recipe of RTS, on a handful of tiny stills."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vss_ray.datasets import camvid
from vss_ray.errors import ConfigError, ModelError
from vss_ray.networks.rts import Rts
from vss_ray.tracking import network as ready
from vss_ray.training import composites, object_learner, object_sequences, rts
from vss_ray.training.composites import Composites
from vss_ray.training.object_sequences import Batch

TINY = [
    *(f"{stage}.{option}" for stage in object_learner.PARTS for option in ("epochs=1", "batch=1")),
    *("steps=2", "length=3", "scenes=0", "composite.shapes=6", "sequences.height=64", "sequences.width=96"),
    *("sequences.distances=[1]", "first_steps=2", "later_steps=1"),
]
SMALL = object_sequences.Config(height=64, width=96, distances=(1,))


@pytest.fixture(scope="module")
def source(data) -> Composites:
    return Composites(camvid.stills(data, "train"), composites.Config(shapes=6))


def batch() -> Batch:
    torch.manual_seed(0)
    masks = torch.zeros(2, 3, 1, 64, 96)
    masks[:, :, :, 16:48, 32:64] = 1
    masks[1, 2] = 0
    boxes = torch.tensor([32.0, 16, 64, 48]).expand(2, 3, 4).clone()
    boxes[1, 2] = torch.nan
    return Batch(torch.randn(2, 3, 3, 64, 96), masks, boxes)


@pytest.mark.parametrize("stage", list(object_learner.PARTS))
def test_a_stage_teaches_its_parts_and_nothing_else(stage):
    learner = object_learner.Learner(
        Rts().eval(), stage, object_learner.Config(length=3, first_steps=2, later_steps=1)
    ).train()
    given = batch()
    with torch.no_grad():
        pyramid = learner.network.encode(given.images.flatten(0, 1))
    terms = learner(given, pyramid)
    terms["loss"].backward()
    learning = {name.split(".")[0] for name, p in learner.network.named_parameters() if p.grad is not None}
    assert learning == set(object_learner.PARTS[stage])
    assert all(p.grad.isfinite().all() for p in learner.network.parameters() if p.grad is not None)
    assert (
        set(terms) - {"loss"}
        == {
            "segmentation": {"lovasz", "cross_entropy"},
            "instance": {"hinge"},
            "fusion": {"hinge", "lovasz", "cross_entropy"},
        }[stage]
    )
    assert not learner.network.encoder.training


def test_the_instances_label_is_where_the_object_is_or_nowhere():
    labels = object_learner.instance_labels(batch().boxes, torch.Size((4, 6)), 16)
    assert labels.shape == (2, 3, 1, 5, 7)
    assert labels[0, 0, 0].argmax() == 2 * 7 + 3  # pixel (32, 48)
    assert not labels[1, 2].any()


def test_an_object_is_known_on_the_first_frame_and_followed_from_there(source):
    rng = np.random.default_rng(0)
    for _ in range(6):
        crops, masks = object_sequences.follow(source, 3, SMALL, rng)
        assert crops.shape == (3, 64, 96, 3)
        assert masks.shape == (3, 64, 96)
        assert masks[0].any()
        assert set(np.unique(masks)) <= {0, 1}


def test_batches_follow_from_seed_and_epoch(source):
    def made(epoch: int) -> Batch:
        (only,) = object_sequences.batches(
            [(source, 1.0)], SMALL, length=3, batch=2, steps=1, seed=1, epoch=epoch, device="cpu"
        )
        return only

    first, again, other = made(0), made(0), made(1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.masks, again.masks)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (2, 3, 3, 64, 96)
    left, top, right, bottom = first.boxes[0, 0].int().tolist()
    inside = first.masks[0, 0, 0, top:bottom, left:right]
    assert inside.sum() == first.masks[0, 0].sum()
    assert inside[0].any()
    assert inside[:, -1].any()


def test_things_keep_their_ids(source):
    """What is pasted comes after what stands in the still; a thing has one id on all frames."""
    images, ids = source.sample(4, 1, np.random.default_rng(3))
    assert images.dtype == ids.dtype == np.uint8
    assert images.shape[:3] == ids.shape == (4, 64, 96)
    counts = [set(np.unique(each)) for each in ids]
    assert len(set.intersection(*counts)) > 1
    assert 255 not in set.union(*counts)


def test_a_tight_box_of_nothing_is_no_box():
    assert np.isnan(object_sequences.tight_box(np.zeros((4, 5)))).all()
    mask = np.zeros((6, 8))
    mask[2:4, 3:7] = 1
    assert object_sequences.tight_box(mask) == (3, 2, 7, 4)


def test_refusals(data, base, tmp_path):
    out = tmp_path / "weights.safetensors"
    with pytest.raises(ConfigError, match=r"--out .*weights\.pth: wanted a file that ends in \.safetensors"):
        rts.run(data, tmp_path / "weights.pth", base=base)
    with pytest.raises(ConfigError, match="wanted 2 frames or more, and a source with a share"):
        rts.run(data, out, base=base, overrides=["length=1"])
    with pytest.raises(ConfigError, match="has another encoder than resnet50; give --imagenet"):
        rts.run(data, out, base=base, overrides=[*TINY, "network.encoder=resnet50"])
    with pytest.raises(ModelError, match="holds the weights of 'swiftnet'; wanted a file of `vss train rts`"):
        ready.load(type(out)(base))


def test_from_stills_to_a_measured_file(data, base, tmp_path, monkeypatch):
    """``vss train rts``: the file it writes is what the tracker loads."""
    monkeypatch.setattr(rts, "MEASURED", 2)
    out = tmp_path / "weights.safetensors"
    report = rts.run(data, out, base=base, overrides=TINY)
    assert {*report} == {"j_mean", "j_without_scores"}
    assert all(0 <= value <= 1 for value in report.values())
    assert not list(tmp_path.glob("*.checkpoint"))
    assert ready.load(out).config == object_learner.Config().network
