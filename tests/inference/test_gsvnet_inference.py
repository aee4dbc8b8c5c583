"""GSVNet's second stage: chains in lock-step, on a tiny keyframe network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vss_ray import engines
from vss_ray.clips import Clip
from vss_ray.frames import Prepared
from vss_ray.inference import Base
from vss_ray.inference.gsvnet import Carrying, Hyperparameters
from vss_ray.labels import taxonomy
from vss_ray.networks import stored
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, normalize
from vss_ray.segmenters import Description, builtin

HEIGHT, WIDTH, CLASSES = 64, 96, 11
PARAMETERS = Hyperparameters(num_classes=CLASSES, width=8, zero_plane=False, error_plane=True, stride=4, search=2)


class Colors(nn.Module):
    """A keyframe network: logits at a quarter of the picture."""

    mean, std = IMAGENET_MEAN, IMAGENET_STD

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, CLASSES, 4, 4)

    def forward(self, x):
        return self.head(x)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    return Colors().eval()


def base(network: nn.Module, batch: int = 1) -> Base:
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


def weights(folder: Path, *, copying: bool = False, **changes: Any) -> Path:
    """Noise; or kernels that keep what is warped, and a flow net that sees no motion."""
    torch.manual_seed(2)
    parameters = Hyperparameters(**{**vars(PARAMETERS), **changes})
    module = parameters.build()
    with torch.no_grad():
        norm = module.guidance.head[1]
        if copying:
            norm.weight.zero_()  # type: ignore[operator, union-attr]
            norm.bias.zero_()  # type: ignore[operator, union-attr]
            norm.bias[0] = 1e9  # type: ignore[index]
        else:
            nn.init.ones_(norm.weight)  # type: ignore[arg-type]
            nn.init.normal_(module.flow.head.weight, std=0.3)
    path = folder / f"{copying}-{len(changes)}.safetensors"
    stored.save(module, path, parameters.to_metadata())
    return path


def clip(count: int, keyframes: list[int], *, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Prepared:
    """Noise in every picture."""
    rng = np.random.default_rng(seed)
    height, width = size
    about: Any = dict.fromkeys(Clip.__dataclass_fields__)  # nobody asks
    return Prepared(
        clip=Clip(**about),
        pts_seconds=np.arange(count) / 25,
        picture_of_frame=np.arange(count, dtype=np.int32),
        keyframes=np.array(keyframes, np.int32),
        network_pictures=np.array(keyframes, np.int32),
        pixels=rng.integers(0, 256, (len(keyframes), height, width, 3), np.uint8),
        inputs={"small": rng.integers(0, 256, (count, height // 8, width // 8, 3), np.uint8)},
    )


def of_keyframes(network: nn.Module, prepared: Prepared) -> np.ndarray:
    with torch.inference_mode():
        return network(normalize(torch.from_numpy(prepared.pixels))).softmax(1).permute(0, 2, 3, 1).half().numpy()


def test_keyframes_keep_the_networks_own_scores(network, tmp_path):
    prepared = clip(9, [0, 4, 8])
    (inferred,) = Carrying(weights(tmp_path), base(network), both=True)([prepared])
    assert inferred.scores.shape == (9, HEIGHT // 4, WIDTH // 4, CLASSES)
    assert inferred.scores.dtype == np.float16
    np.testing.assert_array_equal(inferred.scores[[0, 4, 8]], of_keyframes(network, prepared))
    np.testing.assert_allclose(inferred.scores.astype(np.float32).sum(-1), 1, atol=5e-3)


def test_a_chain_is_the_network_again_and_again(network, tmp_path):
    path, prepared = weights(tmp_path), clip(4, [0])
    (inferred,) = Carrying(path, base(network), both=False)([prepared])
    module = PARAMETERS.build()
    stored.load(module, path, name="gsvnet")
    small = normalize(torch.from_numpy(prepared.inputs["small"]))
    with torch.inference_mode():
        logits = network(normalize(torch.from_numpy(prepared.pixels)))
        for i in range(1, 4):
            logits = module.eval()(logits, small[i : i + 1], small[i - 1 : i])
            expected = logits.softmax(1)[0].permute(1, 2, 0).numpy()
            np.testing.assert_allclose(inferred.scores[i], expected, atol=2e-3)


def test_copies_are_blended_by_distance(network, tmp_path):
    prepared = clip(7, [0, 4, 6])
    first, middle, last = of_keyframes(network, prepared).astype(np.float32)
    path = weights(tmp_path, copying=True)
    (forward,) = Carrying(path, base(network), both=False)([prepared])
    for i, expected in enumerate([first] * 4 + [middle] * 2 + [last]):
        np.testing.assert_allclose(forward.scores[i], expected, atol=1e-3)
    (both,) = Carrying(path, base(network), both=True)([prepared])
    for i in range(5):
        np.testing.assert_allclose(both.scores[i], (1 - i / 4) * first + i / 4 * middle, atol=2e-3)
    np.testing.assert_allclose(both.scores[5], (middle + last) / 2, atol=2e-3)


def test_motion_of_the_first_stage_is_followed(network, tmp_path):
    """One cell of the nets to the right is two cells of the scores."""
    prepared = clip(3, [0, 2])
    prepared.inputs["to_previous"] = np.zeros((3, HEIGHT // 8, WIDTH // 8, 2), np.float16)
    prepared.inputs["to_next"] = np.zeros_like(prepared.inputs["to_previous"])
    prepared.inputs["to_previous"][1, ..., 0] = 1
    prepared.inputs["to_next"][1, ..., 1] = -1
    first, last = of_keyframes(network, prepared).astype(np.float32)
    (inferred,) = Carrying(weights(tmp_path, copying=True), base(network), both=True)([prepared])
    np.testing.assert_allclose(inferred.scores[1][2:, :-2], (first[2:, 2:] + last[:-2, :-2]) / 2, atol=2e-3)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
def test_clips_come_out_as_they_do_alone(network, tmp_path, both, batch):
    clips = [
        clip(9, [0, 4, 8]),
        clip(1, [0], seed=1),
        clip(6, [0, 2, 3, 5], seed=2),
        clip(5, [0, 4], seed=3, size=(32, 64)),
        clip(4, [0, 1, 2, 3], seed=4),
    ]
    carrying = Carrying(weights(tmp_path), base(network, batch), both=both)
    together = carrying(clips)
    plain = Carrying(weights(tmp_path), base(network), both=both)
    for prepared, inferred in zip(clips, together, strict=True):
        (alone,) = carrying([prepared])
        np.testing.assert_array_equal(alone.scores, inferred.scores)
        (one_by_one,) = plain([prepared])
        np.testing.assert_array_equal(one_by_one.scores, inferred.scores)


def test_the_published_grid(network, tmp_path):
    (inferred,) = Carrying(weights(tmp_path, stride=8), base(network), both=False)([clip(3, [0])])
    assert inferred.scores.shape == (3, HEIGHT // 8, WIDTH // 8, CLASSES)


def test_openvino_gives_the_same(network, tmp_path):
    pytest.importorskip("openvino")
    path, prepared = weights(tmp_path), clip(3, [0])
    (expected,) = Carrying(path, base(network), both=False)([prepared])
    config = builtin.Config(engine="openvino", precision="fp32")
    graphs = partial(engines.build_graph, config, threads=1, device="cpu")
    on_openvino = Base(**{**vars(base(network)), "compile": graphs})
    (inferred,) = Carrying(path, on_openvino, both=False)([prepared])
    np.testing.assert_allclose(inferred.scores, expected.scores, atol=2e-3)
