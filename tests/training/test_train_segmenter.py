"""The recipe of the keyframe network, on a handful of tiny stills."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vss_ray import config as points
from vss_ray.errors import ConfigError, DataError, ModelError
from vss_ray.labels import taxonomy
from vss_ray.segmenters import builtin
from vss_ray.training import augment, loop, segmenter

TINY = segmenter.Config(
    width=16,
    schedule=loop.Config(epochs=1, batch=2),
    augment=augment.Config(crop=64, rare_classes=(2,)),
)


def run(data: Path, out: Path, *, overrides: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    """As ``vss train segmenter`` calls it where nothing else is asked for."""
    given = {"videos": (), "base": "", "imagenet_weights": None, "recipe": {}, **options}
    return segmenter.run(data, out, overrides=overrides, **given)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five stills to train on, and a drive."""
    root = tmp_path_factory.mktemp("camvid")
    rng = np.random.default_rng(0)
    colors: Any = np.array([*taxonomy.load("camvid").colors, (0, 0, 0)], np.uint8)
    for split, count in (("train", 5), ("val", 9)):
        for name in (split, f"{split}annot"):
            (root / name).mkdir()
        for i in range(count):
            ids = np.kron(rng.integers(0, 12, (4, 6)), np.ones((16, 16), int)).astype(np.uint8)
            cv2.imwrite(str(root / split / f"{i}.png"), cv2.cvtColor(colors[ids], cv2.COLOR_RGB2BGR))
            cv2.imwrite(str(root / f"{split}annot" / f"{i}.png"), ids)
    return root


def test_the_same_recipe_gives_the_same_file(data, tmp_path):
    digests = set()
    for name in ("one", "two"):
        checkpoint = tmp_path / f"{name}.checkpoint"
        network = segmenter.train(data, TINY, imagenet_weights=None, checkpoint=checkpoint)
        assert checkpoint.exists()
        assert not network.training
        path = tmp_path / f"{name}.safetensors"
        builtin.save_weights(network, path, taxonomy.load("camvid"), encoder=TINY.encoder)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    config = builtin.Config(weights=str(path), engine="torch", precision="fp32", short_side=64)
    with torch.inference_mode():
        scores = builtin.build(config, threads=1, device="cpu")(np.zeros((1, 64, 96, 3), np.uint8))
    assert scores.shape == (1, 16, 24, 11)


def test_pretrained_weights_are_the_start(data, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"other\.pth does not fit MobileNetV2"):
        segmenter.train(data, TINY, imagenet_weights=path, checkpoint=tmp_path / "checkpoint")


def test_refusals(data, tmp_path):
    with pytest.raises(ConfigError, match=r"--out .*weights\.pth: wanted a file that ends in \.safetensors"):
        run(data, tmp_path / "weights.pth")
    out = tmp_path / "weights.safetensors"
    with pytest.raises(ConfigError, match=r"unknown key schedule\.epoch; did you mean epochs"):
        run(data, out, overrides=["schedule.epoch=3"])
    with pytest.raises(ConfigError, match=r"augment\.crop: got 'large'"):
        run(data, out, overrides=["augment.crop=large"])
    with pytest.raises(DataError, match="no pictures in"):
        run(tmp_path, out)
    with pytest.raises(ModelError, match="no encoder 'vgg'"):
        run(data, out, overrides=["encoder=vgg"])
    with pytest.raises(ConfigError, match=r"--video a\.mp4: the segmenter learns from labelled stills alone"):
        run(data, out, videos=[Path("a.mp4")])
    assert not out.exists()


def test_from_stills_to_a_measured_file(data, tmp_path):
    """``vss train segmenter``: the file it writes is what the pipeline then runs."""
    out = tmp_path / "weights.safetensors"
    recipe = {"width": 16, "schedule": {"epochs": 9, "batch": 2}, "augment": {"crop": 64, "rare_classes": [2]}}
    result = run(data, out, recipe=recipe, overrides=["schedule.epochs=1"])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["weights.csv", "weights.png", "weights.safetensors"]
    assert 0 <= result["mean_iou"] <= 1
    assert list(result["iou"]) == list(taxonomy.load("camvid").classes)
    point = points.load("per_frame", [f"segmenter.weights={out}"])
    assert point.segmenter.module.describe(point.segmenter.config).taxonomy == taxonomy.load("camvid")
