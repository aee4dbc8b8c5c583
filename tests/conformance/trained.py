"""Weights for methods that hold networks of their own, on top of ``nearest_color``; no training at all.

``copying`` weights hand on what comes in, so that the answer is known; ``noise`` lets everything matter.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from conformance.nearest_color import COLORS, DIGEST, TAXONOMY, Config, load_network  # type: ignore[import-not-found]
from torch import nn

from vss_ray.inference.gsvnet import Hyperparameters
from vss_ray.networks import dcfm as dcfm_network
from vss_ray.networks import halves, stored
from vss_ray.networks import lmanet as lmanet_network

OVERWHELMING = 1e9


def write(method: str, kind: str, folder: Path) -> Path:
    """A file for ``method.weights``."""
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, metadata = {"gsvnet": _gsvnet, "dcfm": _dcfm, "lmanet": _lmanet}[method](kind == "copying")
    path = folder / f"{method}-{kind}.safetensors"
    about = {"network": method, "base": DIGEST, "taxonomy": json.dumps(TAXONOMY.to_dict())}
    stored.save(module, path, {**about, **metadata})
    return path


def _gsvnet(copying: bool) -> tuple[nn.Module, dict[str, str]]:
    """Copying: nothing moves, and the kernels keep what was warped. With the motion given, it moves exactly."""
    parameters = Hyperparameters(num_classes=len(COLORS), width=8, zero_plane=False, error_plane=True, stride=4)
    network = parameters.build()
    kernels: Any = network.guidance.head[1]  # type: ignore[index]
    with torch.no_grad():
        if copying:
            kernels.weight.zero_()
            kernels.bias.zero_()
            kernels.bias[0] = OVERWHELMING
        else:
            kernels.weight.fill_(1)
            network.flow.head.weight.normal_(0, 0.1)
    return network, parameters.to_metadata()


def _dcfm(copying: bool) -> tuple[nn.Module, dict[str, str]]:
    """Copying: a picture is labeled with what its keyframes have in the same place."""
    model = dcfm_network.Dcfm(load_network(Config())[0])
    if copying:
        model.begin(255 * torch.rand(2, 3, 64, 64))
    return model.fusion, {"head_layers": "0"}


def _lmanet(copying: bool) -> tuple[nn.Module, dict[str, str]]:
    """Copying: what is read from the memory changes features that nothing listens to; noise is added to all of them."""
    fusion = "blend" if copying else "gated"
    config = lmanet_network.Config(fusion=fusion, key_channels=4, value_channels=8, window=5)
    network = lmanet_network.LmaNet(config, halves.cut(load_network(Config())[0]))
    if not copying:
        nn.init.constant_(network.fusion.mix.norm.weight, 20.0)  # type: ignore[union-attr]
    return network, {"config": json.dumps(vars(config))}
