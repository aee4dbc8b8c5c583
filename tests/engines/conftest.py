"""A network and pictures that all engines run."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities
from vss_ray.segmenters import builtin

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    return builtin._random("resnet", 11).eval()


@pytest.fixture(scope="session")
def pixels() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    pictures = np.stack([cv2.resize(picture, (160, 96), interpolation=cv2.INTER_CUBIC) for picture in noise])
    pictures.flags.writeable = False  # as they come out of the object store
    return pictures


@pytest.fixture(scope="session")
def expected(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
    with torch.inference_mode():
        return Probabilities(network, IMAGENET_MEAN, IMAGENET_STD)(torch.tensor(pixels)).numpy()
