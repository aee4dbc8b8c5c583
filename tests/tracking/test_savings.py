"""What is saved costs nothing: masks encoded once, when they are kept, and memories in half precision."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from vss_ray.datasets.occlusions import TARGET, OcclusionScene
from vss_ray.engines import Execution
from vss_ray.networks.sample_memory import SampleMemory
from vss_ray.tracking import learning
from vss_ray.tracking.network import WEIGHTS, Network, build
from vss_ray.tracking.tracker import Tracker

FRAMES = 20


class WholeMemory(SampleMemory):
    """In single precision."""

    def __init__(self, config, first):
        super().__init__(config, first)
        self._stored = {name: torch.zeros_like(each, dtype=torch.float32) for name, each in self._stored.items()}
        for name, tensor in first.items():
            self._stored[name][: len(tensor)] = tensor


@pytest.fixture(scope="module")
def network() -> Network:
    return build(WEIGHTS, Execution(engine="torch", precision="fp32"), threads=1, device="cpu")


@pytest.fixture(scope="module")
def frames():
    return [
        (frame.rgb(*frame.size), truth.ids == TARGET) for frame, truth in islice(OcclusionScene(0).frames(), FRAMES)
    ]


def followed(network: Network, frames) -> np.ndarray:
    """(FRAMES - 1, H, W) probabilities."""
    tracker = Tracker(network)
    tracker.start(frames[0][0], {1: frames[0][1]})
    return np.stack([tracker.step(frame).probabilities[0] for frame, _ in frames[1:]])


def test_memories_in_half_precision_give_the_same_masks(network, frames, monkeypatch):
    half = followed(network, frames)
    monkeypatch.setattr(learning, "SampleMemory", WholeMemory)
    whole = followed(network, frames)
    both, either = ((half > 0.5) & (whole > 0.5)).sum((1, 2)), ((half > 0.5) | (whole > 0.5)).sum((1, 2))
    assert (both / either).min() > 0.98
    assert np.abs(half - whole).mean() < 1e-3
    assert not np.array_equal(half, whole)  # it is in use


def test_a_mask_is_encoded_as_it_would_be_among_others(network, frames):
    """So that what was encoded when it was kept needs no encoding when the memory is learned from."""
    config = Tracker(network)._config
    masks = np.stack([np.resize(mask, config.size).astype(np.float32) for _, mask in frames[:4]])
    together = network.encode(masks)
    for place, mask in enumerate(masks):
        for one, all_of_them in zip(network.encode(mask[None]), together, strict=True):
            torch.testing.assert_close(one[0], all_of_them[place], rtol=1e-5, atol=1e-6)
