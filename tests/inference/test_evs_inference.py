"""EVS's second stage: keyframes, tiles, and refined pictures whose deep features were carried."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vss_ray import engines
from vss_ray.clips import Clip
from vss_ray.errors import ModelError
from vss_ray.frames import Inferred, Prepared
from vss_ray.inference import Base, evs
from vss_ray.inference.every_picture import EveryPicture
from vss_ray.inference.warping import warp_features
from vss_ray.labels import taxonomy as taxonomies
from vss_ray.methods.evs import Config, build_inference
from vss_ray.networks import factory, stored
from vss_ray.networks.pixels import normalize, probabilities
from vss_ray.segmenters import Description
from vss_ray.segmenters._executed import execute
from vss_ray.segmenters.builtin import Config as Sizing

HEIGHT, WIDTH = 64, 96
GRID = (HEIGHT // 4, WIDTH // 4)
EXECUTION = Sizing(engine="torch", precision="fp32")
TAXONOMY = taxonomies.load("camvid")
HALF = 2e-3
"""Scores that went through half precision agree so well."""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Noise, but with features large enough that deep ones matter."""
    torch.manual_seed(0)
    built = factory.swiftnet("resnet", len(TAXONOMY), width=16)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of the one batch below
    built.train()(normalize(torch.from_numpy(pictures(4, seed=9))))
    nn.init.normal_(built.head.weight, std=1.0)
    return built.eval()


def base_of(network: Any, batch: int = 1) -> Base:
    def segmenter() -> Any:
        return execute(
            lambda: (network, network.mean, network.std), TAXONOMY, EXECUTION, identity="noise", name="net",
            fit=lambda h, w: (h, w), threads=1, device="cpu",
        )  # fmt: skip

    return Base(
        segmenter=segmenter,
        load=lambda: network,
        description=Description(taxonomy=TAXONOMY, digest="0" * 64),
        compile=partial(engines.build_graph, EXECUTION, threads=1, device="cpu"),
        device_name="cpu",
        batch=batch,
    )


def pictures(count: int, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Any:
    noise = np.random.default_rng(seed).integers(0, 256, (count, height // 16, width // 16, 3), np.uint8)
    return (
        np.stack([cv2.resize(each, (width, height)) for each in noise])
        if count
        else np.zeros((0, height, width, 3), np.uint8)
    )


def clip(keys, refined, sources, *, seed=0, motion=0.0, size=(HEIGHT, WIDTH)) -> Prepared:
    """Pictures ``keys`` are keyframes, ``refined`` get their features from ``sources``, with one motion all over."""
    grid = (size[0] // 4, size[1] // 4)
    count = max([*keys, *refined]) + 1
    pixels = pictures(count, seed, *size)
    return Prepared(
        clip=Clip.of_pictures("c", count, 10.0, *size),
        pts_seconds=np.arange(count) / 10,
        picture_of_frame=np.arange(count, dtype=np.int32),
        keyframes=np.array(keys, np.int32),
        network_pictures=np.array(keys, np.int32),
        pixels=pixels[keys],
        inputs={"refined": pixels[refined]},
        motion={
            "carried": np.array(refined, np.int32),
            "before": np.array(sources, np.int32),
            "to_before": np.full((len(refined), *grid, 2), motion, np.float16),
            "refined": np.array(refined, np.int32),
        },
    )


def by_hand(network: nn.Module, key: Any, picture: Any, motions: list[float]) -> Tensor:
    """Probabilities of ``picture`` from deep features of ``key`` that were carried over and over."""
    net: Any = network
    with torch.inference_mode():
        here, there = (normalize(torch.tensor(each[None]), net.mean, net.std) for each in (picture, key))
        deep = net.deep(net.shallow(there))
        for motion in motions:
            deep = warp_features(deep, torch.full((1, *GRID, 2), motion))
        return probabilities(net.join(net.shallow(here), deep))[0]


@pytest.mark.parametrize("name", ["swiftnet", "icnet"])
def test_a_keyframe_refined_with_its_own_features_is_itself(network, name):
    if name == "icnet":
        torch.manual_seed(0)
        network = factory.build("icnet", "", len(TAXONOMY), 32).eval()
    prepared = clip([0], [1], [0])
    prepared.inputs["refined"][0] = prepared.pixels[0]
    (inferred,) = build_inference(Config(direction="forward", refine_every=1), base_of(network))([prepared])
    (alone,) = EveryPicture(base_of(network))([prepared])
    assert inferred.scores.shape == inferred.extra["refined"].shape == (1, *GRID, len(TAXONOMY))
    assert inferred.scores.dtype == inferred.extra["refined"].dtype == np.float16
    np.testing.assert_allclose(inferred.extra["refined"], inferred.scores, atol=HALF)
    np.testing.assert_allclose(inferred.scores, alone.scores, atol=HALF)


@pytest.mark.parametrize("motion", [0.0, 3.0])
def test_deep_features_go_from_source_to_source(network, motion):
    prepared = clip([0, 5], [2, 3, 6], [0, 2, 5], motion=motion)
    (inferred,) = build_inference(Config(direction="forward", refine_every=1), base_of(network))([prepared])
    keys, pixels = prepared.pixels, prepared.inputs["refined"]
    wanted = [(keys[0], pixels[0], [motion]), (keys[0], pixels[1], [motion] * 2), (keys[1], pixels[2], [motion])]
    for found, (key, picture, motions) in zip(inferred.extra["refined"], wanted, strict=True):
        np.testing.assert_allclose(found, by_hand(network, key, picture, motions), atol=HALF)
    # These features decide something: those of the other keyframe give other scores.
    other = by_hand(network, keys[1], pixels[0], [motion])
    assert np.abs(inferred.extra["refined"][0] - other.numpy()).max() > 10 * HALF


@pytest.mark.parametrize("batch", [1, 3])
def test_clips_together_are_clips_alone(network, batch):
    clips = [
        clip([0, 5], [2, 3, 6], [0, 2, 5], motion=1.0),
        clip([0], [], [], seed=1),
        clip([0], [1, 2, 3], [0, 1, 2], seed=2, motion=-2.0, size=(32, 64)),
        clip([0, 1], [2], [1], seed=3, motion=0.5),
    ]
    refining = build_inference(Config(direction="forward", refine_every=1), base_of(network, batch))
    for mine, inferred in zip(clips, refining(clips), strict=True):
        (alone,) = refining([mine])
        same(inferred, alone)
        assert len(inferred.extra["refined"]) == len(mine.motion["refined"])
    assert refining([]) == []


def same(one: Inferred, two: Inferred) -> None:
    np.testing.assert_array_equal(one.scores, two.scores)
    assert one.extra.keys() == two.extra.keys()
    for name, array in one.extra.items():
        np.testing.assert_array_equal(array, two.extra[name])


def test_broken_features_stay_in_their_clip(network):
    class Breaking(nn.Module):
        """No numbers for pictures that are white all over."""

        mean, std = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)

        def shallow(self, x: Tensor) -> tuple[Tensor]:
            return (nn.functional.avg_pool2d(x, 4),)

        def deep(self, shallow: tuple[Tensor]) -> Tensor:
            return nn.functional.avg_pool2d(shallow[0] / (shallow[0].amin((1, 2, 3), keepdim=True) < 1), 4)

        def join(self, shallow: tuple[Tensor], deep: Tensor) -> Tensor:
            return shallow[0] + nn.functional.interpolate(deep, scale_factor=4.0)

    clips = [clip([0], [1], [0], seed=seed) for seed in range(3)]
    clips[1].pixels[:] = 255
    inferred = build_inference(Config(direction="forward", refine_every=1), base_of(Breaking(), batch=2))(clips)
    assert [bool(np.isfinite(each.extra["refined"]).all()) for each in inferred] == [True, False, True]


def test_a_network_without_parts_is_refused():
    with pytest.raises(ModelError, match=r"refine_every: Conv2d cannot be split .*lacks shallow, deep, join.*wanted"):
        build_inference(Config(direction="forward", refine_every=2), base_of(nn.Conv2d(3, 11, 4, 4)))


def test_a_refiner_may_have_weights_of_its_own(network, tmp_path):
    """They change what is refined and nothing else."""
    torch.manual_seed(1)
    trained: Any = factory.swiftnet("resnet", len(TAXONOMY), width=16)
    nn.init.normal_(trained.head.weight, std=1.0)
    path = tmp_path / "refiner.safetensors"
    stored.save(trained, path, {}, evs.is_joining(trained))
    assert {name.split(".")[0] for name in stored_names(path)} == {"upsamples", "head"}
    prepared = clip([0], [1], [0], motion=1.0)
    config = Config(direction="forward", refine_every=1)
    (plain,) = build_inference(config, base_of(network))([prepared])
    (own,) = build_inference(replace(config, weights=str(path)), base_of(network))([prepared])
    np.testing.assert_array_equal(own.scores, plain.scores)
    mixture: Any = evs.refining_network(replace(config, weights=str(path)), base_of(network))
    wanted = by_hand(mixture, prepared.pixels[0], prepared.inputs["refined"][0], [1.0])
    np.testing.assert_allclose(own.extra["refined"][0], wanted, atol=HALF)
    assert np.abs(own.extra["refined"].astype(np.float32) - plain.extra["refined"]).max() > 10 * HALF


def stored_names(path) -> list[str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return list(file.keys())


@pytest.mark.parametrize("batch", [1, 4])
def test_tiles_are_scored_like_pictures(network, batch):
    clips = [replace(clip([0, 1], [], []), inputs={"tiles": pictures(3, 7, 32, 64)}),
             replace(clip([0], [], [], seed=1), inputs={"tiles": pictures(0, 8, 32, 64)}),
             replace(clip([0], [], [], seed=2), inputs={"tiles": pictures(2, 9, 32, 64)})]  # fmt: skip
    base = base_of(network, batch)
    repairing = build_inference(Config(repair_every=2), base)
    together = repairing(clips)
    assert [len(inferred.extra["tiles"]) for inferred in together] == [3, 0, 2]
    for mine, inferred in zip(clips, together, strict=True):
        (alone,) = repairing([mine])
        same(inferred, alone)
        for tile, scores in zip(mine.inputs["tiles"], inferred.extra["tiles"], strict=True):
            np.testing.assert_array_equal(base.segmenter()(tile[None])[0], scores)


def test_neither_tiles_nor_refiner_is_the_plain_second_stage(network):
    assert isinstance(build_inference(Config(), base_of(network)), EveryPicture)
