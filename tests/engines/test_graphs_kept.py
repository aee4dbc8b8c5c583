"""Graphs that are kept between processes: the same scores, and no torch where they are there already."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vss_ray import engines
from vss_ray.engines import _identity
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities

EXECUTION = engines.Execution(engine="openvino", precision="fp32")

LABELLING = """
import hashlib, sys
import numpy as np
from vss_ray import config, stages
point = config.load("evs", ["segmenter.short_side=96", *sys.argv[1:]]).resolved(False)
inference = stages.build_inference(point, threads=1, device="cpu")
stages.warm_up(point, inference, 96, 160)
pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 160, 3), np.uint8)
answers = inference._segmenter.score_and_embed(pixels)
print(hashlib.sha256(b"".join(array.tobytes() for array in answers)).hexdigest(), "torch" in sys.modules)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vss-ray"


def printed(*arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LABELLING, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_second_process_needs_no_torch_and_says_the_same():
    first, with_torch = printed()
    again, without = printed()
    assert first == again
    assert (with_torch, without) == ("True", "False")
    assert printed("method.repair_every=2") == [first, "False"]


def test_scores_are_those_of_an_engine_that_keeps_nothing(network, pixels):
    place = {"threads": 1, "device": "cpu"}
    alone, seen = engines.build(EXECUTION, network, mean=IMAGENET_MEAN, std=IMAGENET_STD, **place)(pixels)

    def load() -> engines.Loaded:
        return network, IMAGENET_MEAN, IMAGENET_STD

    def never() -> engines.Loaded:
        raise AssertionError("loaded again")

    for source in (load, never):
        scores, embeddings = engines.build_lazily(EXECUTION, source, identity="noise", **place)(pixels)
        np.testing.assert_array_equal(scores, alone)
        np.testing.assert_array_equal(embeddings, seen)
    with pytest.raises(AssertionError, match="loaded again"):
        engines.build_lazily(EXECUTION, never, identity="another", **place)(pixels)


class Scaled(nn.Module):
    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor
        self.convolution = nn.Conv2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x) * self.factor


def test_graphs_of_methods_are_kept_too(folder):
    torch.manual_seed(0)
    module, x = Scaled(), torch.rand(1, 3, 4, 4)
    (first,) = engines.build_graph(EXECUTION, module, threads=1, device="cpu")(x)
    (again,) = engines.build_graph(EXECUTION, module, threads=1, device="cpu")(x)
    assert torch.equal(first, again)
    assert len(list((folder / "graphs").iterdir())) == 1
    module.factor = 3.0
    (other,) = engines.build_graph(EXECUTION, module, threads=1, device="cpu")(x)
    torch.testing.assert_close(other, first * 1.5)


def test_a_module_is_known_by_all_that_it_computes_with(network):
    torch.manual_seed(0)
    module = Scaled()
    first = _identity.digest(module)
    assert first == _identity.digest(module)
    assert first != _identity.digest(Scaled())  # other numbers
    module.factor = 3.0
    assert first != _identity.digest(module)
    module.factor = 2.0
    assert first == _identity.digest(module)
    seen = _identity.digest(embedded(Probabilities(network, IMAGENET_MEAN, IMAGENET_STD), network))
    assert seen not in (None, _identity.digest(network))


def test_what_cannot_be_told_is_not_kept(folder):
    module = Scaled()
    module.factor = np.float32(2)  # type: ignore[assignment]
    assert _identity.digest(module) is None
    hooked = Scaled()
    hooked.register_forward_hook(lambda _module, _inputs, output: output + 1)
    assert _identity.digest(hooked) is None
    x = torch.rand(1, 3, 4, 4)
    assert engines.build_graph(EXECUTION, module, threads=1, device="cpu")(x)[0].shape == (1, 2, 4, 4)
    assert not folder.exists()
