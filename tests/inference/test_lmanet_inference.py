"""LMANet's second stage: what a picture reads, when it is decoded, and what is let go."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vss_ray import engines
from vss_ray.clips import Clip
from vss_ray.errors import ModelError
from vss_ray.frames import Prepared
from vss_ray.inference import Base
from vss_ray.inference.lmanet import Remembering
from vss_ray.labels import taxonomy
from vss_ray.methods.lmanet import Config, memories
from vss_ray.networks import factory, halves, lmanet, stored
from vss_ray.networks.pixels import normalize, probabilities
from vss_ray.networks.swiftnet import SwiftNet
from vss_ray.segmenters import Description, builtin

HEIGHT, WIDTH = 64, 96
SHAPE = lmanet.Config(key_channels=4, value_channels=8, window=5)


@pytest.fixture(scope="module")
def swiftnet() -> SwiftNet:
    """Tiny, and not the same everywhere."""
    torch.manual_seed(0)
    return settled(factory.swiftnet("mobilenet_v2", num_classes=11, width=16))


def settled(network: Any) -> Any:
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    network.train()(torch.randn(2, 3, HEIGHT, WIDTH))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network(swiftnet) -> lmanet.LmaNet:
    """One that listens to its memory."""
    network = lmanet.LmaNet(SHAPE, halves.cut(swiftnet))
    with torch.no_grad():
        network.begin(halves.cut(swiftnet).front(torch.randn(2, 3, HEIGHT, WIDTH))[0])
    return network.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "lmanet.safetensors"
    # Half precision as it will be read back.
    network.load_state_dict({k: v.half().float() if v.ndim > 1 else v for k, v in network.state_dict().items()})
    stored.save(network, path, {"network": "lmanet", "config": json.dumps(asdict(SHAPE))})
    return path


def base(network: torch.nn.Module, batch: int = 1) -> Base:
    execution = builtin.Config(engine="torch", precision="fp32")
    unused: Any = None
    return Base(
        segmenter=unused,
        load=lambda: network,
        description=Description(taxonomy=taxonomy.load("camvid"), digest="ab" * 32),
        compile=partial(engines.build_graph, execution, threads=1, device="cpu"),
        device_name="cpu",
        batch=batch,
    )


def prepared(count: int, *runs: range, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH), **options) -> Prepared:
    every = np.arange(count, dtype=np.int32)
    return Prepared(
        clip=Clip.of_pictures("video", count, 15.0, *size),
        pts_seconds=every / 15.0,
        picture_of_frame=every,
        keyframes=every,
        network_pictures=every,
        pixels=np.random.default_rng(seed).integers(0, 255, (count, *size, 3), np.uint8),
        inputs={"memory": memories(runs or [range(count)], count, Config(**options))},
    )


def plainly(swiftnet: SwiftNet, network: lmanet.LmaNet, clip: Prepared) -> np.ndarray:
    """Every picture on its own, with the network of the training."""
    encoder = halves.cut(swiftnet).front
    with torch.no_grad():
        pictures = normalize(torch.from_numpy(clip.pixels))
        features, lateral = encoder(pictures)
        scores = []
        for i, row in enumerate(clip.inputs["memory"].tolist()):
            others = [place for place in row if place >= 0]
            if not others:
                logits = swiftnet(pictures[i : i + 1])
            else:
                nothing = torch.zeros(1, len(others), *features.shape[2:], 0)
                logits, _ = network(features[i : i + 1], features[None, others], [lateral[i : i + 1]], nothing)
            scores.append(probabilities(logits)[0].numpy())
    return np.stack(scores)


@pytest.mark.parametrize("options", [{"memory": "past", "frames": 3}, {"memory": "both", "frames": 4, "stride": 2}])
@pytest.mark.parametrize("batch", [1, 4])
def test_scores_are_those_of_the_network_in_training(swiftnet, network, weights, options, batch):
    clip = prepared(7, range(5), range(5, 6), range(6, 7), **options)
    inference = Remembering(weights, base(swiftnet, batch))
    (inferred,) = inference([clip])
    assert inferred.scores.shape == (7, HEIGHT // 4, WIDTH // 4, 11)
    assert inferred.scores.dtype == np.float16
    wanted = plainly(swiftnet, network, clip)
    np.testing.assert_allclose(inferred.scores, wanted, atol=5e-3)  # features are kept in half precision
    alone = prepared(7, frames=1)
    alone.inputs["memory"][:] = -1
    assert np.abs(plainly(swiftnet, network, alone)[:5] - wanted[:5]).max() > 0.05  # the memory matters


def test_clips_do_not_touch_each_other(swiftnet, weights):
    inference = Remembering(weights, base(swiftnet, batch=4))
    clips = [prepared(5), prepared(3, seed=1), prepared(4, seed=2, size=(32, 64)), prepared(1, seed=3)]
    together = inference(clips)
    for clip, inferred in zip(clips, together, strict=True):
        np.testing.assert_array_equal(inferred.scores, inference([clip])[0].scores)
    for clip, inferred in zip(clips[::-1], inference(clips[::-1]), strict=True):
        np.testing.assert_array_equal(inferred.scores, inference([clip])[0].scores)


def test_what_nobody_will_read_is_let_go(swiftnet, weights, monkeypatch):
    """However long a clip is, no more pictures are kept than a memory spans."""
    inference = Remembering(weights, base(swiftnet))
    held: list[int] = []
    label = inference._label

    def watched(pictures, memories):
        held.append(len({id(each) for each in [*pictures, *(m for memory in memories for m in memory)]}))
        return label(pictures, memories)

    monkeypatch.setattr(inference, "_label", watched)
    inference([prepared(12, memory="both", frames=4)])
    assert max(held) == 5
    assert len(held) == 12


def test_window_can_be_chosen(swiftnet, weights):
    clip = prepared(3)
    narrow, trained, wide = (
        Remembering(weights, base(swiftnet), window=window)([clip])[0].scores for window in (1, None, 21)
    )
    np.testing.assert_array_equal(trained, Remembering(weights, base(swiftnet), window=5)([clip])[0].scores)
    assert np.abs(narrow.astype(np.float32) - trained).max() > 1e-2
    assert np.abs(wide.astype(np.float32) - trained).max() > 1e-2


def test_tolerance_can_be_chosen(swiftnet, weights, tmp_path):
    clip = prepared(3, frames=1)
    strict = Remembering(weights, base(swiftnet), tolerance=1e-9)([clip])[0].scores
    alone = prepared(3, frames=1)
    alone.inputs["memory"][:] = -1
    np.testing.assert_allclose(strict, Remembering(weights, base(swiftnet))([alone])[0].scores, atol=5e-3)
    path = tmp_path / "gated.safetensors"
    shape = replace(SHAPE, fusion="gated")
    stored.save(
        lmanet.LmaNet(shape, halves.cut(swiftnet)), path, {"network": "lmanet", "config": json.dumps(asdict(shape))}
    )
    with pytest.raises(ModelError, match=r"method\.tolerance belongs to fusion 'blend'; .* has 'gated'"):
        Remembering(path, base(swiftnet), tolerance=0.1)
    assert np.isfinite(Remembering(path, base(swiftnet))([clip])[0].scores).all()


def test_other_networks_are_refused(weights, swiftnet, tmp_path):
    with pytest.raises(ModelError, match="inside swiftnet, erfnet or pspnet; the segmenter has Conv2d"):
        Remembering(weights, base(torch.nn.Conv2d(3, 11, 1)))
    path = tmp_path / "other.safetensors"
    other = lmanet.LmaNet(replace(SHAPE, key_channels=8), halves.cut(swiftnet))
    stored.save(other, path, {"network": "lmanet", "config": json.dumps(asdict(SHAPE))})
    with pytest.raises(ModelError, match="does not fit lmanet"):
        Remembering(path, base(swiftnet))


@pytest.mark.parametrize(("name", "width", "stride"), [("erfnet", 8, 1), ("pspnet", 32, 8)])
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_networks_without_lateral_features(tmp_path, name, width, stride, engine):
    torch.manual_seed(0)
    single = settled(factory.build(name, "", 11, width))
    network = lmanet.LmaNet(SHAPE, halves.cut(single))
    network.begin(halves.cut(single).front(torch.randn(2, 3, HEIGHT, WIDTH))[0])
    path = tmp_path / "lmanet.safetensors"
    stored.save(network, path, {"network": "lmanet", "config": json.dumps(asdict(SHAPE))})
    execution = builtin.Config(engine=engine, precision="fp32")
    compiled = partial(engines.build_graph, execution, threads=1, device="cpu")
    inference = Remembering(path, replace(base(single), compile=compiled))
    clip = prepared(3, range(2), range(2, 3))
    (inferred,) = inference([clip])
    assert inferred.scores.shape == (3, HEIGHT // stride, WIDTH // stride, 11)
    x = normalize(torch.from_numpy(clip.pixels), single.mean, single.std)
    with torch.no_grad():
        alone = probabilities(single(x)).numpy().astype(np.float32)
    np.testing.assert_allclose(inferred.scores[2], alone[2], atol=5e-3)  # it has no memory
    assert np.abs(inferred.scores[:2] - alone[:2]).max() > 1e-3
