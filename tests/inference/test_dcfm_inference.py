"""DCFM's second stage is its definition, only cheaper; what it answers depends on the pictures alone."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vss_ray.clips import Clip
from vss_ray.errors import ModelError
from vss_ray.frames import Prepared
from vss_ray.inference import Base, dcfm
from vss_ray.labels import taxonomy
from vss_ray.networks import factory, stored
from vss_ray.networks.dcfm import Dcfm, decoded, independent, unit
from vss_ray.networks.pixels import normalize
from vss_ray.ops.warp import resize_displacement, warp
from vss_ray.segmenters import Description

torch.set_num_threads(1)
HEIGHT, WIDTH, CLASSES = 64, 96, 11
HALF_PRECISION = 1e-3
"""Of scores near 1, and as much again."""


def trained(encoder: str = "mobilenet_v2", head_layers: int = 0) -> Dcfm:
    """Noise, but every statistic is that of its own features."""
    torch.manual_seed(0)
    model = Dcfm(factory.swiftnet(encoder, CLASSES, width=16), head_layers)
    model.encoder.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    with torch.no_grad():
        x = nn.functional.interpolate(torch.randn(4, 3, 8, 12), (HEIGHT, WIDTH), mode="bilinear")
        model.fusion.train()
        model(x)
        nn.init.normal_(model.fusion.classify.weight, std=2.0)
    return model.eval().requires_grad_(False)


def pixels(count: int, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
    return small.repeat(8, 1).repeat(8, 2)


def plain(model: Dcfm, here: NDArray, keys: list[NDArray]) -> NDArray[np.float32]:
    """Equations 3 to 7 as they stand: logits of every keyframe's deep features, added, (h, w, C) probabilities."""
    own = independent(model.encoder, normalize(torch.from_numpy(here)[None]))
    logits = []
    for key in keys:
        common = unit(decoded(model.encoder, normalize(torch.from_numpy(key)[None])))
        logits.append(model.fusion.predict(model.fusion.fuse(common, own)))
    return (sum(logits) / len(logits)).softmax(1).permute(0, 2, 3, 1)[0].numpy()  # type: ignore[union-attr]


def clip_of(images: NDArray[np.uint8], keyframes: list[int], inputs: dict[str, NDArray] | None = None) -> Prepared:
    count = len(images)
    return Prepared(
        clip=Clip.of_pictures("clip", count, 10.0, HEIGHT, WIDTH),
        pts_seconds=np.arange(count) / 10,
        picture_of_frame=np.arange(count, dtype=np.int32),
        keyframes=np.array(keyframes, np.int32),
        network_pictures=np.arange(count, dtype=np.int32),
        pixels=images,
        inputs=inputs or {},
    )


class Recording:
    """An engine that runs modules as they are, and remembers what keyframes left."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.left: list[weakref.ref[Tensor]] = []
        self.most_alive = 0

    def compile(self, module: nn.Module) -> Any:
        def graph(*inputs: Tensor) -> tuple[Tensor, ...]:
            self.batches.append(len(inputs[0]))
            self.most_alive = max(self.most_alive, sum(ref() is not None for ref in self.left))
            with torch.inference_mode():
                outputs = module(*inputs)
            if isinstance(outputs, Tensor):
                return (outputs,)
            self.left.append(weakref.ref(outputs[1]))
            return outputs

        return graph


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save(trained(), tmp_path / "weights.safetensors")


def save(model: Dcfm, path: Path) -> Path:
    stored.save(model.fusion, path, {"network": "dcfm", "head_layers": str(len(model.fusion.hidden) // 3)})
    return path


def build(
    weights: Path,
    network: nn.Module,
    *,
    both: bool = True,
    align: bool = False,
    batch: int = 1,
    engine: Recording | None = None,
) -> dcfm.CommonFeatures:
    base = Base(
        segmenter=lambda: pytest.fail("the plain network is not needed"),
        load=lambda: network,
        description=Description(taxonomy=taxonomy.load("camvid"), digest=""),
        compile=(engine or Recording()).compile,
        device_name="cpu",
        batch=batch,
    )
    return dcfm.CommonFeatures(weights, base, both=both, align=align)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "resnet"])
@pytest.mark.parametrize("head_layers", [0, 1])
def test_the_rewritten_form_is_the_plain_one(encoder, head_layers):
    model = trained(encoder, head_layers)
    images = pixels(3)
    before, here, after = images
    with torch.inference_mode():
        split = dcfm.Split(model)
        x = normalize(torch.from_numpy(images))
        common, own = split.common(x), split.own(x)[1:2]
        key, one, two = plain(model, here, [here]), plain(model, here, [before]), plain(model, here, [before, after])
        assert key.max() - key.min() > 0.1  # says something
        assert np.abs(one - key).max() > 0.01  # deep features matter
        for parts, expected in ((common[1:2], key), (common[:1], one), ((common[:1], common[2:]), two)):
            scores = split.probabilities(own, *(parts if isinstance(parts, tuple) else (parts,)))
            np.testing.assert_allclose(scores[0].numpy(), expected, atol=HALF_PRECISION)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "resnet"])
def test_the_fused_features_are_the_plain_ones(encoder):
    """In single precision: the sum of a keyframe's part and a picture's own is the convolution of both."""
    model = trained(encoder)
    x = normalize(torch.from_numpy(pixels(2)))
    with torch.inference_mode():
        split = dcfm.Split(model)
        sums = torch.relu(split.common(x) + split.own(x).flip(0))
        fused = model.fusion.fuse(unit(decoded(model.encoder, x)), independent(model.encoder, x).flip(0))
        torch.testing.assert_close(unit(sums), fused, atol=2e-5, rtol=1e-4)


def test_what_a_keyframe_leaves_is_kept_in_half_precision():
    model = trained()
    x = torch.from_numpy(pixels(2))
    with torch.inference_mode():
        scores, common = dcfm.Key(model)(x)
        assert (scores.dtype, common.dtype) == (torch.float16, torch.float16)
        whole = dcfm.Split(model).common(normalize(x)).permute(0, 2, 3, 1)
        torch.testing.assert_close(common.float(), whole, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(dcfm.Other(model)(x, common), scores, atol=5 * HALF_PRECISION, rtol=0)


@pytest.mark.parametrize(
    ("both", "keyframes", "used"),
    [
        (True, [0, 3, 5], [(0,), (0, 3), (0, 3), (3,), (3, 5), (5,)]),
        (False, [0, 3], [(0,), (0,), (0,), (3,), (3,), (3,)]),
        (False, [0], [(0,)] * 6),
        (True, [0, 1, 2, 5], [(0,), (1,), (2,), (2, 5), (2, 5), (5,)]),  # a cut after picture 0, one after picture 1
    ],
)
@pytest.mark.parametrize("batch", [1, 4])
def test_every_picture_from_its_keyframes(weights, both, keyframes, used, batch):
    model, images = trained(), pixels(6)
    (inferred,) = build(weights, model.encoder, both=both, batch=batch)([clip_of(images, keyframes)])
    assert inferred.scores.dtype == np.float16
    assert inferred.scores.shape == (6, HEIGHT // 4, WIDTH // 4, CLASSES)
    for picture, keys in enumerate(used):
        expected = plain(model, images[picture], [images[key] for key in keys])
        np.testing.assert_allclose(inferred.scores[picture], expected, atol=5 * HALF_PRECISION)


def moving(count: int, *, both: bool) -> dict[str, NDArray]:
    """Displacements on a grid half as fine as the features', another for every picture."""
    rng = np.random.default_rng(5)
    fields = rng.uniform(-1, 1, (2, count, 1, 1, 2)) * np.ones((HEIGHT // 8, WIDTH // 8, 1))
    weight = rng.uniform(0, 1, (count, 1, 1)) * np.ones((HEIGHT // 8, WIDTH // 8))
    inputs = {"to_before": fields[0].astype(np.float16)}
    return {**inputs, "to_after": fields[1].astype(np.float16), "weight": weight.astype(np.float16)} if both else inputs


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_aligned_features(weights, both, batch):
    """Deep features are carried, and those of two keyframes blended, before they are fused with the picture's own."""
    model, images, inputs = trained(), pixels(5), moving(5, both=both)
    stage = build(weights, model.encoder, both=both, align=True, batch=batch)
    (inferred,) = stage([clip_of(images, [0, 4], inputs)])
    for picture in (1, 2, 3):
        carried = 0.0
        share = float(inputs["weight"][picture, 0, 0]) if both else 1.0
        for key, name, part in ((0, "to_before", share), (4, "to_after", 1 - share))[: 2 if both else 1]:
            common = unit(decoded(model.encoder, normalize(torch.from_numpy(images[key : key + 1]))))
            field = resize_displacement(inputs[name][picture].astype(np.float32), HEIGHT // 4, WIDTH // 4)
            carried = carried + part * warp(common[0].permute(1, 2, 0).contiguous().numpy(), field)
        own = independent(model.encoder, normalize(torch.from_numpy(images[picture : picture + 1])))
        fused = model.fusion.fuse(torch.from_numpy(carried).permute(2, 0, 1)[None], own)
        expected = model.fusion.predict(fused).softmax(1).permute(0, 2, 3, 1)[0].numpy()
        np.testing.assert_allclose(inferred.scores[picture], expected, atol=5 * HALF_PRECISION)


@pytest.mark.parametrize("both", [True, False])
def test_a_keyframe_is_not_carried(weights, both):
    network, images = trained().encoder, pixels(5)
    aligned = build(weights, network, both=both, align=True)([clip_of(images, [0, 4], moving(5, both=both))])[0]
    plain_keys = build(weights, network, both=both)([clip_of(images, [0, 4])])[0]
    np.testing.assert_array_equal(aligned.scores[[0, 4]], plain_keys.scores[[0, 4]])
    assert not np.array_equal(aligned.scores[2], plain_keys.scores[2])


@pytest.mark.parametrize("both", [True, False])
def test_clips_share_nothing_but_batches(weights, both):
    network = trained().encoder
    clips = [clip_of(pixels(5), [0, 2, 4]), clip_of(pixels(1, seed=1), [0]), clip_of(pixels(4, seed=2), [0, 3])]
    small = clip_of(pixels(3, seed=3)[:, :32, :64], [0, 2])
    engine = Recording()
    stage = build(weights, network, both=both, batch=2, engine=engine)
    together = stage([*clips[:2], small, clips[2]])
    alone = [stage([clip])[0] for clip in (*clips[:2], small, clips[2])]
    for one, two in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.scores, two.scores)
    assert set(engine.batches) == {2}


def test_a_long_clip_keeps_the_features_of_two_keyframes(weights):
    engine = Recording()
    build(weights, trained().encoder, engine=engine)([clip_of(pixels(13), list(range(0, 13, 2)))])
    assert len(engine.left) == 7
    assert engine.most_alive <= 2


def test_weights_of_another_backbone_are_refused(weights):
    narrow = factory.swiftnet("mobilenet_v2", CLASSES, width=8)
    with pytest.raises(ModelError, match=r"weights\.safetensors does not fit dcfm"):
        build(weights, narrow)
