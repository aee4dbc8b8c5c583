"""One thread: the machine's cores belong to the tests beside these. And what every method's training is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vss_ray.labels import taxonomy
from vss_ray.networks import factory
from vss_ray.segmenters import builtin

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five stills to train on, and a drive of nine, in the layout of CamVid."""
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


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights of a small keyframe network, untrained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    network = factory.swiftnet("mobilenet_v2", 11, width=16)
    builtin.save_weights(network, path, taxonomy.load("camvid"), encoder="mobilenet_v2")
    return str(path)
