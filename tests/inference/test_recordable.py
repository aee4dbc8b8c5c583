"""What a GPU records must never ask the host: no module that an engine runs looks at values, or brings any along.

Proven without a GPU on tensors that have shapes but no values.
"""

from __future__ import annotations

import copy
import importlib.util
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

from vss_ray.engines import torch as engine
from vss_ray.networks import factory
from vss_ray.networks.embedding import embedded
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD, Probabilities
from vss_ray.networks.views import Views
from vss_ray.segmenters import builtin

_spec = importlib.util.spec_from_file_location("devices", Path(__file__).with_name("test_devices.py"))
devices = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(devices)

NETWORKS = ["bisenet", "erfnet", "icnet", "mit", "pspnet", *factory.encoders()]


@pytest.fixture
def run_without_values(monkeypatch):
    def run(module, inputs):
        """Shapes of the outputs."""
        with monkeypatch.context() as patch, torch.inference_mode():
            patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no device without values
            for name in ("tensor", "as_tensor"):
                patch.setattr(torch, name, checked(getattr(torch, name)))
            outputs = copy.deepcopy(module).to("meta")(*(torch.empty_like(each, device="meta") for each in inputs))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert {each.device.type for each in outputs} == {"meta"}
        return [tuple(each.shape) for each in outputs]

    return run


def checked(create):
    def created(data, *arguments, **options):
        if not isinstance(data, torch.Tensor):
            raise AssertionError(f"{data} would have to be sent to the device")
        return create(data, *arguments, **options)

    return created


@pytest.mark.parametrize("name", devices.POINTS)
def test_second_stages(name, monkeypatch, run_without_values):
    seen = {}

    def replay(config, module, device, original=engine._replay):
        run = original(config, module, device)

        def call(*inputs):
            outputs = run(*inputs)
            seen[id(module)] = module, inputs, [tuple(each.shape) for each in outputs]
            return outputs

        return call

    monkeypatch.setattr(engine, "_replay", replay)
    inference = devices.build(name, "cpu", 4)
    if name == "memory":
        inference._device = torch.device("meta")  # or a kernel of the CPU would do a part of it
    inference(devices.prepared(name))
    assert seen
    for module, inputs, shapes in seen.values():
        assert run_without_values(module, inputs) == shapes


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, run_without_values):
    network = builtin._random(name, 11).eval()
    graph = embedded(Probabilities(network, IMAGENET_MEAN, IMAGENET_STD), network).eval()
    scores, *_ = run_without_values(graph, [torch.zeros(2, 64, 96, 3, dtype=torch.uint8)])
    assert (scores[0], scores[-1]) == (2, 11)


def test_heavy_keyframes(run_without_values):
    network = Views(builtin._random("resnet", 11).eval(), (0.75, 1.0, 1.5), True).eval()
    graph = Probabilities(network, IMAGENET_MEAN, IMAGENET_STD)
    assert run_without_values(graph, [torch.zeros(2, 64, 96, 3, dtype=torch.uint8)]) == [(2, 16, 24, 11)]


class Looking(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Bringing(nn.Module):
    def forward(self, x):
        return x * torch.tensor([1.0, 2.0], device=x.device)


@pytest.mark.parametrize("module", [Looking(), Bringing()])
def test_those_that_do_are_found(module, run_without_values):
    with pytest.raises((RuntimeError, AssertionError), match=r"meta|sent to the device"):
        run_without_values(module, [torch.zeros(3, 2)])
