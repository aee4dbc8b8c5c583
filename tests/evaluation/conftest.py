"""A tiny drive in CamVid's layout, and a network that knows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vss_ray.labels import taxonomy

HEIGHT, WIDTH, FRAMES = 64, 96, 11


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``val`` of a few frames in which a picture in the colors of CamVid's classes moves by four pixels."""
    root = tmp_path_factory.mktemp("camvid")
    for name in ("val", "valannot"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    ids = np.kron(rng.integers(0, 12, (8, 14)), np.ones((16, 16), int)).astype(np.uint8)  # 11 is void in the files
    colors: Any = np.array([*taxonomy.load("camvid").colors, (0, 0, 0)])
    noise = cv2.GaussianBlur(rng.normal(0, 60, (*ids.shape, 3)), (0, 0), 1.2)
    large = np.clip(colors[ids] + noise, 0, 255).astype(np.uint8)
    for i in range(FRAMES):
        window = np.s_[4 : 4 + HEIGHT, 4 * i : 4 * i + WIDTH]
        cv2.imwrite(str(root / "val" / f"{i:03d}.png"), cv2.cvtColor(large[window], cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(root / "valannot" / f"{i:03d}.png"), ids[window])
    return root
