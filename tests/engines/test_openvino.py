from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from vss_ray.engines import openvino
from vss_ray.errors import ConfigError, ModelError

NORMALIZATION = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "threads": 1}

QUIET = """
import socket, sys
def refuse(*_): raise SystemExit("somebody calls home")
socket.socket.connect = refuse
import numpy as np
from torch import nn
from vss_ray import engines
config = engines.Execution(engine="openvino", precision="fp32")
engine = engines.build(config, nn.Conv2d(3, 2, 4, 4), mean=(0,) * 3, std=(1,) * 3, threads=1, device="cpu")
print(engine(np.zeros((1, 32, 32, 3), np.uint8))[0].shape)
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
"""


def test_nobody_calls_home(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", QUIET], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 8, 8, 2)\n", done.stderr
    assert not (tmp_path / "intel").exists()  # where the statistics service keeps its id


def test_only_for_the_cpu():
    with pytest.raises(ConfigError, match="runs on the CPU, not on cuda"):
        openvino.build(openvino.Config(), nn.Conv2d(3, 2, 1), device="cuda", **NORMALIZATION)


def test_bf16_only_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(openvino, "has_bf16", lambda: False)
    with pytest.raises(ConfigError, match=r"set segmenter\.precision=fp32"):
        openvino.build(openvino.Config(precision="bf16"), nn.Conv2d(3, 2, 1), device="cpu", **NORMALIZATION)


def test_a_network_it_cannot_run(pixels):
    class Picky(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.sum() > 0:  # depends on the pixels: no graph
                return x
            return -x

    engine = openvino.build(openvino.Config(), Picky(), device="cpu", **NORMALIZATION)
    with pytest.raises(ModelError, match=r"cannot run Picky on pictures of 96x160: .+set segmenter.engine=torch"):
        engine(pixels)
